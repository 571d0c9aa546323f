"""function_app.py under the real Functions worker: indexed exactly, and answering what the host would send."""

import asyncio
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

import psycopg
import pytest

from shared.messages.envelope import decode_envelope
from tests.builders import a_posted_transaction
from tests.contract.brokers import rabbitmq_broker
from tests.contract.worker_harness import Answer, http_request, rabbitmq_message, run_worker, service_bus_batch

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 13),
    reason="the Functions worker (azure-functions-runtime) is published for Python 3.13 and newer only",
)

HTTP_BINDINGS = [
    {"direction": "IN", "type": "httpTrigger", "name": "req", "authLevel": "ANONYMOUS", "route": "{*route}"},
    {"direction": "OUT", "type": "http", "name": "$return"},
]
QUEUE_BINDINGS: Mapping[str, Mapping[str, object]] = {
    "rabbitmq": {
        "direction": "IN",
        "type": "rabbitMQTrigger",
        "name": "message",
        "dataType": "BINARY",
        "queueName": "transactions",
        "connectionStringSetting": "FRAUDSENSE_RABBITMQ_URL",
    },
    "servicebus": {
        "direction": "IN",
        "type": "serviceBusTrigger",
        "name": "messages",
        "dataType": "BINARY",
        "queueName": "transactions",
        "connection": "FRAUDSENSE_SERVICEBUS_CONNECTION",
        "cardinality": "MANY",
    },
}
GARBAGE = b"\xff\x00 not an envelope"


@pytest.fixture
def environment(services, database_url: str, redis_url: str, queue_name: str) -> dict[str, str]:
    return {
        "FRAUDSENSE_BROKER": "rabbitmq",
        "FRAUDSENSE_RABBITMQ_URL": services.rabbitmq,
        "FRAUDSENSE_REDIS_URL": redis_url,
        "FRAUDSENSE_DATABASE_URL": database_url,
        "FRAUDSENSE_QUEUE_NAME": queue_name,
        "FRAUDSENSE_SCORE_PORT": "0",
        "FRAUDSENSE_SERVICEBUS_CONNECTION": "Endpoint=sb://127.0.0.1;SharedAccessKeyName=a;SharedAccessKey=b",
    }


def an_envelope(transaction_id: str) -> bytes:
    posted = a_posted_transaction(transaction_id=transaction_id)
    return json.dumps({"v": 1, "items": [{"transaction": posted}]}).encode()


def scored(database_url: str, transaction_ids: list[str]) -> list[str]:
    """Those of the ids that are recorded and scored."""
    with psycopg.connect(database_url) as database:
        rows = database.execute(
            "SELECT transaction_id FROM transactions JOIN scores USING (transaction_id)"
            " WHERE transaction_id = ANY(%s) ORDER BY transaction_id",
            [transaction_ids],
        )
        return [row[0] for row in rows]


def quarantined(database_url: str, body: bytes) -> int:
    with psycopg.connect(database_url) as database:
        row = database.execute("SELECT count(*) FROM rejected_messages WHERE body = %s", [body]).fetchone()
        assert row
        return int(row[0])


def test_ingest_alone_is_one_anonymous_http_function_on_every_path() -> None:
    outcome = run_worker({"FRAUDSENSE_FUNCTIONS": "ingest"})

    assert outcome.error is None
    assert outcome.bindings == {"ingest": HTTP_BINDINGS}
    assert not outcome.modules & {"numpy", "functions.score", "ml"}


async def test_concurrent_first_posts_are_each_answered_202_and_queued(
    environment: dict[str, str], services, queue_name: str
) -> None:
    posts = [
        http_request("POST", "/transactions", json.dumps(a_posted_transaction(transaction_id=f"w-{n}")).encode())
        for n in range(5)
    ]

    async with rabbitmq_broker(services.rabbitmq, queue_name, "quorum", 100) as broker:
        outcome = run_worker(environment | {"FRAUDSENSE_FUNCTIONS": "ingest"}, posts)
        queued = []
        while message := await broker.receive():
            items, invalid = decode_envelope(message.body, now=datetime.now(UTC))
            assert not invalid
            queued += [item.transaction.transaction_id for item in items]

    assert [(each.error, each.status) for each in outcome.answers[0]] == [(None, 202)] * 5
    assert sorted(queued) == [f"w-{n}" for n in range(5)]


async def test_posts_to_a_queue_that_is_too_deep_are_refused(
    environment: dict[str, str], services, queue_name: str
) -> None:
    post = http_request("POST", "/transactions", json.dumps(a_posted_transaction()).encode())
    settings = environment | {"FRAUDSENSE_FUNCTIONS": "ingest", "FRAUDSENSE_QUEUE_FULL_AT": "1"}

    async with rabbitmq_broker(services.rabbitmq, queue_name, "quorum", 100) as broker:
        for number in range(3):
            await broker.publisher.publish(b"{}", message_id=f"m-{number}")
        while await broker.publisher.depth() < 3:
            await asyncio.sleep(0.05)
        reading_begins, while_it_lasts = [post], [http_request("GET", "/health")]
        outcome = run_worker(settings, reading_begins, while_it_lasts, [post] * 3)

    assert [[each.status for each in answers] for answers in outcome.answers] == [[202], [200], [503] * 3]


def test_a_bad_post_is_answered_with_a_problem_document(environment: dict[str, str]) -> None:
    outcome = run_worker(
        environment | {"FRAUDSENSE_FUNCTIONS": "ingest"}, [http_request("POST", "/transactions", b"{")]
    )

    (answer,) = outcome.answers[0]
    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("broker", ["rabbitmq", "servicebus"])
def test_score_alone_is_one_queue_function_of_the_chosen_broker(broker: str) -> None:
    outcome = run_worker({"FRAUDSENSE_FUNCTIONS": "score", "FRAUDSENSE_BROKER": broker})

    assert outcome.error is None
    assert outcome.bindings == {"score": [QUEUE_BINDINGS[broker]]}
    assert not outcome.modules & {"fastapi", "sklearn", "scipy", "functions.ingest"}


def test_both_groups_are_indexed_together() -> None:
    outcome = run_worker({"FRAUDSENSE_FUNCTIONS": "ingest,score", "FRAUDSENSE_BROKER": "rabbitmq"})

    assert outcome.error is None
    assert outcome.bindings == {"ingest": HTTP_BINDINGS, "score": [QUEUE_BINDINGS["rabbitmq"]]}


def test_rabbitmq_messages_are_scored_and_poison_between_them_is_quarantined_whole(
    environment: dict[str, str], database_url: str
) -> None:
    bodies = [an_envelope("r-1"), GARBAGE + b"1", an_envelope("r-2")]

    outcome = run_worker(
        environment | {"FRAUDSENSE_FUNCTIONS": "score"}, *[[rabbitmq_message("message", body)] for body in bodies]
    )

    assert outcome.answers == [[Answer()]] * 3
    assert scored(database_url, ["r-1", "r-2"]) == ["r-1", "r-2"]
    assert quarantined(database_url, GARBAGE + b"1") == 1


def test_a_service_bus_batch_is_scored_around_the_poison_in_it(
    environment: dict[str, str], database_url: str
) -> None:
    batch = service_bus_batch("messages", [an_envelope("s-1"), GARBAGE + b"2", an_envelope("s-2")])

    outcome = run_worker(
        environment | {"FRAUDSENSE_FUNCTIONS": "score", "FRAUDSENSE_BROKER": "servicebus"}, [batch]
    )

    assert outcome.answers == [[Answer()]]
    assert scored(database_url, ["s-1", "s-2"]) == ["s-1", "s-2"]
    assert quarantined(database_url, GARBAGE + b"2") == 1


def test_properties_that_the_host_shifts_between_messages_change_nothing(
    environment: dict[str, str], database_url: str
) -> None:
    shifted = {"MessageIdArray": ["of-the-second"], "CorrelationIdArray": [], "ContentTypeArray": ["text/plain"]}
    batch = service_bus_batch("messages", [an_envelope("p-1"), an_envelope("p-2"), b""], **shifted)

    outcome = run_worker(
        environment | {"FRAUDSENSE_FUNCTIONS": "score", "FRAUDSENSE_BROKER": "servicebus"}, [batch]
    )

    assert outcome.answers == [[Answer()]]
    assert scored(database_url, ["p-1", "p-2"]) == ["p-1", "p-2"]


@pytest.mark.parametrize("away", ["FRAUDSENSE_REDIS_URL", "FRAUDSENSE_DATABASE_URL"])
def test_a_service_bus_batch_fails_as_a_whole_in_an_outage_so_that_the_broker_keeps_it(
    environment: dict[str, str], database_url: str, away: str
) -> None:
    nowhere = {
        "FRAUDSENSE_REDIS_URL": "redis://127.0.0.1:1/0",
        "FRAUDSENSE_DATABASE_URL": "postgresql://127.0.0.1:1/x",
    }
    batch = service_bus_batch("messages", [an_envelope("o-1"), GARBAGE + b"3", an_envelope("o-2")])

    outcome = run_worker(
        environment
        | {"FRAUDSENSE_FUNCTIONS": "score", "FRAUDSENSE_BROKER": "servicebus", away: nowhere[away]}
        | {"FRAUDSENSE_RETRY_BUDGET_SECONDS": "0"},
        [batch],
    )

    [[answer]] = outcome.answers
    assert "Unavailable" in str(answer.error)
    assert scored(database_url, ["o-1", "o-2"]) == []


def test_a_model_that_was_altered_fails_the_indexing(tmp_path) -> None:
    outcome = run_worker({"FRAUDSENSE_FUNCTIONS": "score", "FRAUDSENSE_MODEL_DIR": str(tmp_path)})

    assert outcome.error is not None
    assert "ModelInvalid" in outcome.error


@pytest.mark.parametrize("group", ["ingest", "score"])
def test_log_lines_leave_through_the_worker_as_json_with_component_and_masked(
    environment: dict[str, str], group: str
) -> None:
    """The broker's and the database's errors name what does not exist, here by a card number."""
    away = environment | {
        "FRAUDSENSE_FUNCTIONS": group,
        "FRAUDSENSE_QUEUE_NAME": "4111111111111111",
        "FRAUDSENSE_DATABASE_URL": f"{environment['FRAUDSENSE_DATABASE_URL']}-4111111111111111",
        "FRAUDSENSE_RETRY_BUDGET_SECONDS": "0",
    }
    post = http_request("POST", "/transactions", json.dumps(a_posted_transaction()).encode())

    outcome = run_worker(away, [post if group == "ingest" else rabbitmq_message("message", an_envelope("l-1"))])

    lines = [json.loads(line) for line in outcome.logs]
    (told,) = [line["message"] for line in lines if line.get("event") == "service_away"]
    assert {line["component"] for line in lines} == {group}
    assert "*" * 16 in told
    assert "4111111111111111" not in "".join(outcome.logs)
