"""host.json agrees with the limits that the code and the brokers set."""

import json
from pathlib import Path

from functions.score.circling import ROUND
from functions.score.deployments import ANSWERING
from shared.broker.rabbitmq import CONFIRM_TIMEOUT
from shared.database.connection import CONNECTION_SETTINGS, LONGEST_USE
from shared.database.recorder import ANNOUNCING
from shared.entra import SIGNING_IN
from shared.feature_store.redis_history import LONGEST_LOAD, connect
from shared.settings import Settings

HOST = json.loads((Path(__file__).parents[2] / "host.json").read_text())
BROKER_ACK_TIMEOUT_SECONDS = 30 * 60
SERVICE_BUS_LOCK_SECONDS = 300


def test_routes_have_no_prefix_because_the_asgi_app_owns_the_paths() -> None:
    assert HOST["extensions"]["http"]["routePrefix"] == ""


def longest_answer_of_redis() -> float:
    """Seconds of one call, connecting included, however often the client repeats it by itself."""
    client = connect("redis://127.0.0.1")
    how = client.get_connection_kwargs()
    return (how["socket_connect_timeout"] + how["socket_timeout"]) * (1 + client.get_retry().get_retries())


def longest_answer_of_postgres() -> float:
    """Seconds of one call, connecting included."""
    return LONGEST_USE.total_seconds()


def signing_in() -> float:
    """Seconds until Redis and PostgreSQL have their tokens, where the ones at hand ended during an outage."""
    return 2 * SIGNING_IN.total_seconds()


def longest_observation() -> float:
    """Seconds: asking, reading accounts from the books, writing the last of them, asking again."""
    connecting = CONNECTION_SETTINGS["connect_timeout"]
    return 3 * longest_answer_of_redis() + connecting + LONGEST_LOAD.total_seconds()


def putting_back() -> float:
    return 2 * CONFIRM_TIMEOUT.total_seconds()  # publish, close


def longest_wait_in_vain() -> float:
    """Seconds until a message goes back: asking for news, the budget, a last attempt at what is still away."""
    reading = CONNECTION_SETTINGS["connect_timeout"] + LONGEST_LOAD.total_seconds()
    last_attempt = max(longest_answer_of_redis() + reading, longest_answer_of_postgres())
    waited = ANSWERING.total_seconds() + Settings().retry_budget_seconds
    return waited + signing_in() + last_attempt + putting_back()


def longest_invocation() -> float:
    """Seconds where the last attempts succeed, slowly, and announcing does or the last of them fails."""
    last_attempts = longest_observation() + longest_answer_of_postgres()
    announcing = 2 * ANNOUNCING.total_seconds() + longest_answer_of_redis()
    waited = ANSWERING.total_seconds() + Settings().retry_budget_seconds
    return waited + signing_in() + last_attempts + max(announcing, putting_back())


def test_prefetched_messages_are_settled_within_the_brokers_ack_timeout_even_if_each_waits_its_budget() -> None:
    prefetch = HOST["extensions"]["rabbitMQ"]["prefetchCount"]
    assert prefetch <= Settings().poison_minimum  # so one pause at most

    # An outage ends once: those before it wait in vain, those after it not at all.
    longest = (prefetch - 1) * longest_wait_in_vain() + longest_invocation() + Settings().poison_pause_seconds
    assert longest < BROKER_ACK_TIMEOUT_SECONDS


def test_a_batch_of_service_bus_is_settled_before_its_lock_ends_whatever_it_waited_for() -> None:
    newer = ROUND.total_seconds() + 2 * CONFIRM_TIMEOUT.total_seconds()
    assert Settings().poison_pause_seconds + longest_invocation() + newer < SERVICE_BUS_LOCK_SECONDS


def test_service_bus_messages_are_not_prefetched_because_locks_of_batches_are_not_renewed() -> None:
    assert HOST["extensions"]["serviceBus"]["prefetchCount"] == 0


def test_service_bus_batches_stay_small_because_decoding_cost_grows_with_their_square() -> None:
    assert HOST["extensions"]["serviceBus"]["maxMessageBatchSize"] == 20


def test_the_bundle_is_the_one_that_holds_rabbitmq_and_service_bus() -> None:
    assert HOST["extensionBundle"]["version"] == "[4.*, 5.0.0)"
