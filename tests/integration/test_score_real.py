"""Score against real Redis, PostgreSQL and RabbitMQ, with the shipped model."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import redis

from functions.score.invocation import Invocations
from functions.score.wiring import scorer_for, wire
from shared.domain.errors import BrokerUnavailable
from shared.redis_keys import ALERT_CHANNEL
from shared.settings import Settings
from tests.builders import a_posted_transaction
from tests.conftest import Services
from tests.contract.brokers import rabbitmq_broker
from tests.scoring import an_envelope

GARBAGE = b"\xff garbage \x00"
NOWHERE = "127.0.0.1:1"


@pytest.fixture
def settings(services: Services, database_url: str, redis_url: str, queue_name: str) -> Settings:
    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        rabbitmq_url=services.rabbitmq,
        queue_name=queue_name,
        retry_budget_seconds=0,
    )


@pytest.fixture
def feed(redis_url: str) -> Iterator[redis.client.PubSub]:
    """The live feed, subscribed to."""
    with redis.Redis.from_url(redis_url) as client, client.pubsub(ignore_subscribe_messages=True) as feed:
        feed.subscribe(ALERT_CHANNEL)
        feed.get_message(timeout=5)
        yield feed


def invocations(settings: Settings, **changes: Any) -> Invocations:
    """The function behind the trigger, wired as the settings say."""
    changed = settings.model_copy(update=changes)
    return Invocations(wire(changed, scorer_for(changed)))


def announced(feed: redis.client.PubSub, transaction_id: str) -> list[dict[str, Any]]:
    """What the feed brings about one transaction until it is silent; its channel is the whole server's."""
    received = iter(lambda: feed.get_message(timeout=0.5), None)
    alerts = [json.loads(message["data"]) for message in received]
    return [alert for alert in alerts if alert["transaction_id"] == transaction_id]


def rows(settings: Settings, query: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(settings.postgres_url) as database:
        return database.execute(query, values).fetchall()


def an_alarming_transaction() -> dict[str, Any]:
    """Far from home and large, of an account without a past."""
    return a_posted_transaction(
        transaction_id=f"t-{uuid4()}",
        account_id=f"a-{uuid4()}",
        amount="9999.99",
        merchant_category="shopping_net",
        geo_lat=1.3521,
        geo_lon=103.8198,
        home_lat=40.7128,
        home_lon=-74.006,
    )


def state_of(settings: Settings, transaction_id: str) -> list[tuple[Any, ...]]:
    """What the tables hold about one transaction."""
    return rows(
        settings,
        "SELECT t.amount, s.score, s.risk_label, s.model_version, a.seq, a.announced_at, s.created_at"
        " FROM transactions t JOIN scores s USING (transaction_id) LEFT JOIN alerts a USING (transaction_id)"
        " WHERE t.transaction_id = %s",
        transaction_id,
    )


def test_one_envelope_becomes_rows_a_score_an_alert_and_its_announcement(
    settings: Settings, feed: redis.client.PubSub
) -> None:
    posted = an_alarming_transaction()
    invocations(settings).run([an_envelope(posted)])
    [(amount, score, label, model_version, seq, announced_at, _)] = state_of(settings, posted["transaction_id"])
    assert (float(amount), label) == (9999.99, "HIGH")
    assert score > 0.5
    assert announced_at is not None
    [alert] = announced(feed, posted["transaction_id"])
    assert (alert["seq"], alert["model_version"]) == (seq, model_version)


def test_a_redelivered_message_changes_nothing(settings: Settings, feed: redis.client.PubSub) -> None:
    posted = an_alarming_transaction()
    invocations(settings).run([an_envelope(posted)])
    before = state_of(settings, posted["transaction_id"])
    invocations(settings).run([an_envelope(posted)])
    assert state_of(settings, posted["transaction_id"]) == before
    assert len(announced(feed, posted["transaction_id"])) == 1


def test_garbage_is_kept_in_rejected_messages_and_its_neighbours_are_scored(settings: Settings) -> None:
    posted = a_posted_transaction(transaction_id=f"t-{uuid4()}")
    invocations(settings).run([GARBAGE, an_envelope(posted)])
    assert rows(settings, "SELECT reason FROM rejected_messages WHERE body = %s", GARBAGE) == [("unreadable",)]
    assert len(state_of(settings, posted["transaction_id"])) == 1


@pytest.mark.parametrize("away", ["redis", "database", "schema"])
def test_a_message_is_back_on_the_queue_when_a_service_stays_away(
    settings: Settings, services: Services, away: str
) -> None:
    message = an_envelope(a_posted_transaction(transaction_id=f"t-{uuid4()}"))
    without = {
        "redis": {"redis_url": f"redis://{NOWHERE}"},
        "database": {"database_url": f"postgresql://{NOWHERE}/postgres"},
        "schema": {"database_url": services.database},
    }[away]

    async def body_on_the_queue() -> bytes:
        async with rabbitmq_broker(settings.rabbitmq_url, settings.queue_name, "classic", 10) as broker:
            await asyncio.to_thread(invocations(settings, **without).run, [message])
            received = await broker.receive()
            assert received is not None
            await received.complete()
            return received.body

    assert asyncio.run(body_on_the_queue()) == message


def test_ready_asks_for_the_deployed_models_too(settings: Settings, tmp_path: Path) -> None:
    chosen = settings.model_copy(update={"model_registry": str(tmp_path)})
    deploy = "INSERT INTO model_deployments (model_version, stage, manifest) VALUES ('forest-0', 'serving', '{}')"
    with psycopg.connect(settings.postgres_url, autocommit=True) as database:
        database.execute(deploy)
        try:
            problem = wire(chosen, scorer_for(chosen)).health.problem()
        finally:
            database.execute("DELETE FROM model_deployments WHERE model_version = 'forest-0'")

    assert problem is not None
    assert problem.startswith("models: The champion forest-0 cannot be loaded; scoring with ")


def test_without_a_queue_the_message_stays_with_the_host(settings: Settings) -> None:
    with pytest.raises(BrokerUnavailable):
        invocations(settings, redis_url=f"redis://{NOWHERE}").run([an_envelope()])
