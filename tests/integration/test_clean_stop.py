"""SIGTERM to the parts of the running product: what is in hand is finished, what waits is given back untouched."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest
from aio_pika import connect

from local.rabbitmq_trigger import REQUEUE_COUNT_HEADER
from shared.broker.service_bus import ServiceBusPublisher
from shared.broker.service_bus_access import ServiceBusAccess
from tests.builders import a_posted_transaction
from tests.conftest import Services
from tests.contract.brokers import Proxy, RabbitMQBroker, rabbitmq_broker
from tests.live_alerts import AlertsServer, Scorer
from tests.ports import free_port
from tests.scoring import an_envelope
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
SOON_SECONDS = 10

Left = Callable[[], Awaitable[list[tuple[bytes, dict[str, Any]]]]]
"""Body and headers of each message."""


class Part:
    """One group under the stand-in for the Functions host."""

    def __init__(self, group: str, **environment: str) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local.functions_host", "--group", group, "--port", str(port)],
            cwd=ROOT,
            env=os.environ | environment,
        )

    async def until(self, condition: Callable[["Part"], bool]) -> None:
        """Waits in a thread: proxies live on this event loop."""
        await asyncio.to_thread(eventually, lambda: condition(self))

    def answers(self) -> bool:
        """Whether its HTTP server is up."""
        try:
            return httpx.get(f"{self.url}/health/live").status_code == 200
        except httpx.TransportError:
            return False

    def waits_for(self, service: str) -> bool:
        """Whether score has begun to wait for a service that is away."""
        waited = rf'score_retries_total{{service="{service}"}} [1-9]'
        return self.answers() and re.search(waited, httpx.get(f"{self.url}/metrics").text) is not None

    def terminate(self) -> None:
        """SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    async def ended(self, within: float) -> int:
        """Its exit code."""
        return await asyncio.to_thread(self.process.wait, within)


@pytest.fixture
async def broker(services: Services, queue_name: str) -> AsyncIterator[RabbitMQBroker]:
    async with rabbitmq_broker(services.rabbitmq, queue_name, "quorum", 1000) as broker:
        yield broker


@pytest.fixture
async def proxies(services: Services, redis_url: str) -> AsyncIterator[dict[str, Proxy]]:
    """Ways to Redis and PostgreSQL that can be closed."""
    targets = {"redis": urlsplit(redis_url), "postgres": urlsplit(services.database)}
    opened = {name: Proxy(str(url.hostname), int(url.port or 0)) for name, url in targets.items()}
    for proxy in opened.values():
        await proxy.start()
    yield opened
    for proxy in opened.values():
        await proxy.stop()


@pytest.fixture
def start(
    services: Services, redis_url: str, database_url: str, queue_name: str, proxies: dict[str, Proxy]
) -> Iterator[Callable[..., Part]]:
    """Starts parts over the proxies and leaves none behind."""
    started: list[Part] = []
    environment = {
        "FRAUDSENSE_BROKER": "rabbitmq",
        "FRAUDSENSE_RABBITMQ_URL": services.rabbitmq,
        "FRAUDSENSE_QUEUE_NAME": queue_name,
        "FRAUDSENSE_REDIS_URL": through(proxies["redis"], redis_url),
        "FRAUDSENSE_DATABASE_URL": through(proxies["postgres"], database_url),
        "FRAUDSENSE_RATE_LIMIT_PER_MINUTE": "0",
    }

    def start_one(group: str, **changes: str) -> Part:
        started.append(Part(group, **environment | changes))
        return started[-1]

    yield start_one
    for part in started:
        part.process.kill()
        part.process.wait()


@pytest.fixture
def left(services: Services, queue_name: str) -> Left:
    """Tells what is left in the queue."""

    async def read() -> list[tuple[bytes, dict[str, Any]]]:
        found = []
        async with await connect(services.rabbitmq) as connection:
            queue = await (await connection.channel()).get_queue(queue_name)
            await asyncio.sleep(0.2)  # a quorum queue takes a moment to have returned messages ready
            while (message := await queue.get(fail=False)) is not None:
                found.append((message.body, dict(message.headers)))
        return found

    return read


def through(proxy: Proxy, url: str) -> str:
    """The URL with the proxy's address in it."""
    parts = urlsplit(url)
    login, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{login}{at}127.0.0.1:{proxy.port}").geturl()


def an_id() -> str:
    return f"t-{uuid4().hex}"


def is_recorded(database_url: str, transaction_id: str) -> bool:
    with psycopg.connect(database_url) as database:
        query = "SELECT 1 FROM scores WHERE transaction_id = %s"
        return database.execute(query, [transaction_id]).fetchone() is not None


@contextmanager
def locked(database_url: str, table: str) -> Iterator[Callable[[], bool]]:
    """Nobody else gets at the table meanwhile; yields whether somebody tries."""
    with psycopg.connect(database_url) as holder, psycopg.connect(database_url, autocommit=True) as watcher:
        holder.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")

        def somebody_waits() -> bool:
            query = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
            return watcher.execute(query, [table]).fetchone() is not None

        yield somebody_waits


@pytest.mark.parametrize("away", ["redis", "postgres"])
async def test_a_batch_that_waits_for_an_outage_is_given_back_at_once_and_uncounted(
    away: str, start, broker: RabbitMQBroker, proxies: dict[str, Proxy], left: Left
) -> None:
    await proxies[away].stop()
    envelope = an_envelope(a_posted_transaction(transaction_id=an_id()))
    await broker.publisher.publish(envelope, message_id="m-1")
    score = start("score")
    await score.until(lambda part: part.waits_for(away))

    score.terminate()

    assert await score.ended(within=SOON_SECONDS) == 0
    [(body, headers)] = await left()
    assert body == envelope
    assert REQUEUE_COUNT_HEADER not in headers


async def test_over_service_bus_a_batch_that_waits_is_abandoned_at_once(
    start, proxies: dict[str, Proxy], queue_name: str
) -> None:
    pytest.importorskip("proton", reason="the test double of Service Bus needs python-qpid-proton")
    from tests.servicebus.double import running_double  # noqa: PLC0415 - as above

    await proxies["redis"].stop()
    envelope = an_envelope(a_posted_transaction(transaction_id=an_id()))
    with running_double() as double:
        access = ServiceBusAccess(queue_name, double.connection_string)
        publisher = ServiceBusPublisher(access)
        await publisher.publish(envelope, message_id="m-1")
        await publisher.close()
        broker = {"FRAUDSENSE_BROKER": "servicebus", "FRAUDSENSE_SERVICEBUS_CONNECTION": double.connection_string}
        score = start("score", **broker)
        await score.until(lambda part: part.waits_for("redis"))

        score.terminate()

        assert await score.ended(within=SOON_SECONDS) == 0
        async with access.client() as client, client.get_queue_receiver(queue_name) as receiver:
            [message] = await receiver.receive_messages(1, max_wait_time=5)
            assert (b"".join(message.body), message.delivery_count) == (envelope, 1)


async def test_the_batch_in_hand_is_recorded_and_settled_and_the_next_is_untouched(
    start, broker: RabbitMQBroker, database_url: str, left: Left
) -> None:
    first, second = an_id(), an_id()
    score = start("score")
    await score.until(Part.answers)
    with locked(database_url, "transaction_ids") as somebody_waits:
        for name in (first, second):
            envelope = an_envelope(a_posted_transaction(transaction_id=name))
            await broker.publisher.publish(envelope, message_id=name)
        await asyncio.to_thread(eventually, somebody_waits)
        score.terminate()
        await asyncio.sleep(1)
        assert score.process.poll() is None

    assert await score.ended(within=SOON_SECONDS) == 0
    assert is_recorded(database_url, first)
    assert not is_recorded(database_url, second)
    [(body, headers)] = await left()
    assert second.encode() in body
    assert REQUEUE_COUNT_HEADER not in headers


async def test_ingest_answers_what_it_has_taken_before_it_ends(start, broker: RabbitMQBroker) -> None:
    ingest = start("ingest", FRAUDSENSE_RABBITMQ_URL=broker.proxied_url)
    await ingest.until(Part.answers)
    async with httpx.AsyncClient(base_url=ingest.url) as client:
        assert (await client.post("/transactions", json=a_posted_transaction())).status_code == 202
        broker.proxy.stall()
        posting = asyncio.create_task(
            client.post("/transactions", json=a_posted_transaction(transaction_id="t-late"))
        )
        await asyncio.sleep(0.5)
        ingest.terminate()
        await asyncio.sleep(0.5)
        assert not posting.done()
        broker.proxy.flow()
        assert (await posting).status_code == 202

    assert await ingest.ended(within=SOON_SECONDS) == 0
    queued = [await broker.receive(), await broker.receive()]
    assert [b"t-late" in each.body for each in queued if each] == [False, True]


def test_alerts_answers_the_analyst_before_it_ends(services: Services, redis_url: str, database_url: str) -> None:
    server, scorer = AlertsServer(database_url, redis_url), Scorer(database_url, redis_url)
    with server.running(), ThreadPoolExecutor() as analysts:
        alert = scorer.raise_alert()
        address = f"{server.url}/alerts/{alert.alert_id}/acknowledge"
        with locked(database_url, "alerts") as somebody_waits:
            answer = analysts.submit(httpx.post, address, json={"by": "ana"})
            eventually(somebody_waits)
            stopped = analysts.submit(server.stop)
            time.sleep(0.5)
        assert answer.result().status_code == 200
        stopped.result()
    scorer.close()
