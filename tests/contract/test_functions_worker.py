"""function_app.py under the real Functions worker: indexed exactly, and answering what the host would send."""

import json
import sys
from datetime import UTC, datetime

import pytest

from shared.messages.envelope import decode_envelope
from tests.builders import a_posted_transaction
from tests.contract.brokers import rabbitmq_broker
from tests.contract.worker_harness import http_request, run_worker

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 13),
    reason="the Functions worker (azure-functions-runtime) is published for Python 3.13 and newer only",
)

HTTP_BINDINGS = [
    {"direction": "IN", "type": "httpTrigger", "name": "req", "authLevel": "ANONYMOUS", "route": "{*route}"},
    {"direction": "OUT", "type": "http", "name": "$return"},
]


@pytest.fixture
def environment(services, database_url: str, redis_url: str, queue_name: str) -> dict[str, str]:
    return {
        "FRAUDSENSE_BROKER": "rabbitmq",
        "FRAUDSENSE_RABBITMQ_URL": services.rabbitmq,
        "FRAUDSENSE_REDIS_URL": redis_url,
        "FRAUDSENSE_DATABASE_URL": database_url,
        "FRAUDSENSE_QUEUE_NAME": queue_name,
    }


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


def test_a_bad_post_is_answered_with_a_problem_document(environment: dict[str, str]) -> None:
    outcome = run_worker(
        environment | {"FRAUDSENSE_FUNCTIONS": "ingest"}, [http_request("POST", "/transactions", b"{")]
    )

    (answer,) = outcome.answers[0]
    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"
