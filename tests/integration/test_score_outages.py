"""Score while real services are away, hang or refuse writes: it waits, then records once; nothing is dead."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
import redis

from functions.score.handler import Outcome
from functions.score.invocation import Invocations
from functions.score.wiring import scorer_for, wire
from local.rabbitmq_trigger import RabbitMQTrigger
from local.services import private_services
from shared.messages.transaction_in import rfc3339
from shared.settings import Settings
from tests.builders import a_posted_transaction
from tests.conftest import Services
from tests.contract.brokers import Proxy, RabbitMQBroker, rabbitmq_broker

OUTAGE_SECONDS = 5


@dataclass(frozen=True)
class Ways:
    """The ways to the services, which can be blocked, and the settings that lead over them."""

    redis: Proxy
    database: Proxy
    settings: Settings

    def invocations(self, budget_seconds: float) -> Invocations:
        changed = self.settings.model_copy(update={"retry_budget_seconds": budget_seconds})
        return Invocations(wire(changed, scorer_for(changed)))


@asynccontextmanager
async def a_way_to(url: str) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy and the URL that leads through it."""
    parts = urlsplit(url)
    proxy = Proxy(str(parts.hostname), int(parts.port or 0))
    await proxy.start()
    host = parts.netloc.rpartition("@")[0]
    try:
        yield proxy, urlunsplit(parts._replace(netloc=f"{host and host + '@'}127.0.0.1:{proxy.port}"))
    finally:
        proxy.flow()
        await proxy.stop()


@pytest.fixture
async def ways(services: Services, database_url: str, redis_url: str, queue_name: str) -> AsyncIterator[Ways]:
    async with a_way_to(redis_url) as (to_redis, redis_by), a_way_to(database_url) as (to_database, database_by):
        settings = Settings(
            database_url=database_by, redis_url=redis_by, rabbitmq_url=services.rabbitmq, queue_name=queue_name
        )
        yield Ways(to_redis, to_database, settings)


def a_message(transaction_id: str, received_at: datetime) -> bytes:
    posted = a_posted_transaction(transaction_id=transaction_id, account_id=f"a-{transaction_id}")
    return json.dumps({"v": 1, "items": [{"transaction": posted, "received_at": rfc3339(received_at)}]}).encode()


def recorded(database_url: str, transaction_id: str) -> list[datetime]:
    """When each row of this transaction was received."""
    query = "SELECT t.received_at FROM transactions t JOIN scores USING (transaction_id) WHERE transaction_id = %s"
    with psycopg.connect(database_url) as books:
        return [at for (at,) in books.execute(query, [transaction_id])]


@pytest.mark.parametrize(
    ("how", "away"), [("gone", ["redis"]), ("gone", ["database"]), ("hanging", ["redis", "database"])]
)
async def test_through_an_outage_it_waits_and_records_once(
    ways: Ways, database_url: str, how: str, away: list[str]
) -> None:
    name, received_at = f"t-{uuid4()}", datetime.now(UTC) - timedelta(hours=1)
    invocations = ways.invocations(budget_seconds=60)
    await asyncio.to_thread(invocations.run, [a_message(f"before-{name}", received_at)])
    blocked = [getattr(ways, each) for each in away]
    for proxy in blocked:
        await proxy.stop() if how == "gone" else proxy.stall()
    running = asyncio.ensure_future(asyncio.to_thread(invocations.run, [a_message(name, received_at)]))
    await asyncio.sleep(OUTAGE_SECONDS)
    assert not running.done()
    for proxy in blocked:
        await proxy.start() if how == "gone" else proxy.flow()
    assert await running is not None
    assert recorded(database_url, name) == [received_at]


@asynccontextmanager
async def scoring(ways: Ways, broker: RabbitMQBroker) -> AsyncIterator[list[Outcome | None]]:
    """Score consumes the queue as under the host; what became of each delivery."""
    invocations, outcomes, stop = ways.invocations(budget_seconds=0.2), list[Outcome | None](), asyncio.Event()
    url, queue = ways.settings.rabbitmq_url, ways.settings.queue_name
    trigger = RabbitMQTrigger(url, queue, 8, lambda body: outcomes.append(invocations.run([body])))
    running = asyncio.ensure_future(trigger.run(stop))
    try:
        yield outcomes
    finally:
        stop.set()
        await running


async def until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not so():
            await asyncio.sleep(0.05)


async def test_beyond_the_budget_a_copy_goes_back_however_often_and_is_recorded_once_in_the_end(
    ways: Ways, database_url: str
) -> None:
    name, received_at = f"t-{uuid4()}", datetime.now(UTC) - timedelta(hours=1)
    settings = ways.settings
    async with rabbitmq_broker(settings.rabbitmq_url, settings.queue_name, "quorum", 100) as broker:
        await ways.database.stop()
        await broker.publisher.publish(a_message(name, received_at), message_id="m")
        async with scoring(ways, broker) as outcomes:
            await until(lambda: len(outcomes) >= 8)
            assert set(outcomes) == {None}
            await ways.database.start()
            await until(lambda: outcomes[-1] is not None)
        assert await broker.receive() is None
        assert await broker.dead_letters() == []
    assert recorded(database_url, name) == [received_at]


@pytest.fixture
def private_redis(tmp_path: Path) -> Iterator[redis.Redis]:
    """A Redis of this test's own, whose state may be spoilt."""
    with private_services(tmp_path, ["redis"]) as urls, redis.Redis.from_url(urls["redis"]) as client:
        yield client


def full(client: redis.Redis) -> None:
    client.config_set("maxmemory", 1)


def read_only(client: redis.Redis) -> None:
    client.execute_command("REPLICAOF", "127.0.0.1", "1")


def mend(client: redis.Redis) -> None:
    client.execute_command("REPLICAOF", "NO", "ONE")
    client.config_set("maxmemory", 0)


@pytest.mark.parametrize("spoil", [full, read_only])
async def test_while_redis_refuses_writes_score_waits_and_quarantines_nothing(
    ways: Ways, database_url: str, private_redis: redis.Redis, spoil: Callable[[redis.Redis], None]
) -> None:
    how = private_redis.get_connection_kwargs()
    url = f"redis://:{how.get('password') or ''}@{how['host']}:{how['port']}"
    settings = ways.settings.model_copy(update={"redis_url": url, "retry_budget_seconds": 60})
    parts = wire(settings, scorer_for(settings))
    name, received_at = f"t-{uuid4()}", datetime.now(UTC)
    spoil(private_redis)
    assert "redis" in str(parts.health.problem())
    running = asyncio.ensure_future(asyncio.to_thread(Invocations(parts).run, [a_message(name, received_at)]))
    await asyncio.sleep(1)
    assert not running.done()
    mend(private_redis)
    outcome = await running
    assert outcome is not None
    assert list(outcome.books.rejected) == []
    assert recorded(database_url, name) == [received_at]
