"""host.json agrees with the limits that the code and the brokers set."""

import json
from pathlib import Path

from shared.settings import Settings

HOST = json.loads((Path(__file__).parents[2] / "host.json").read_text())
BROKER_ACK_TIMEOUT_SECONDS = 30 * 60
SERVICE_BUS_LOCK_SECONDS = 300


def test_routes_have_no_prefix_because_the_asgi_app_owns_the_paths() -> None:
    assert HOST["extensions"]["http"]["routePrefix"] == ""


def test_prefetched_messages_are_settled_within_the_brokers_ack_timeout_even_if_each_waits_its_budget() -> None:
    prefetch = HOST["extensions"]["rabbitMQ"]["prefetchCount"]

    assert prefetch * Settings().retry_budget_seconds < BROKER_ACK_TIMEOUT_SECONDS


def test_service_bus_messages_are_not_prefetched_because_locks_of_batches_are_not_renewed() -> None:
    assert HOST["extensions"]["serviceBus"]["prefetchCount"] == 0
    assert Settings().retry_budget_seconds < SERVICE_BUS_LOCK_SECONDS


def test_service_bus_batches_stay_small_because_decoding_cost_grows_with_their_square() -> None:
    assert HOST["extensions"]["serviceBus"]["maxMessageBatchSize"] == 20


def test_the_bundle_is_the_one_that_holds_rabbitmq_and_service_bus() -> None:
    assert HOST["extensionBundle"]["version"] == "[4.*, 5.0.0)"
