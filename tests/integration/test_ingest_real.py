"""Ingest under uvicorn with the real RabbitMQ, Redis and PostgreSQL, and with each of them away."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn

from functions.ingest.app import create_app
from functions.ingest.wiring import once_per_loop, wire
from shared.database.recorder import PostgresRecorder
from shared.domain.decision import Decision, RejectedMessage, RiskLabel, ScoredTransaction
from shared.messages.envelope import decode_envelope
from shared.messages.transaction_in import Item
from shared.settings import Settings
from tests.builders import a_posted_transaction
from tests.conftest import Services
from tests.contract.brokers import RabbitMQBroker, rabbitmq_broker

NOWHERE = {
    "database_url": "postgresql://nobody@127.0.0.1:1/none",
    "redis_url": "redis://127.0.0.1:1/0",
    "rabbitmq_url": "amqp://guest:guest@127.0.0.1:1/",
}


@pytest.fixture
async def broker(services: Services, queue_name: str) -> AsyncIterator[RabbitMQBroker]:
    async with rabbitmq_broker(services.rabbitmq, queue_name, "quorum", 1000) as broker:
        yield broker


@pytest.fixture
def settings(services: Services, redis_url: str, queue_name: str, broker: RabbitMQBroker) -> dict[str, Any]:
    """Ingest over the real services; the broker behind its proxy, no database."""
    target = urlsplit(services.rabbitmq)
    login = target.netloc.rsplit("@", 1)[0]
    through_proxy = target._replace(netloc=f"{login}@127.0.0.1:{broker.proxy.port}").geturl()
    return NOWHERE | {
        "redis_url": redis_url, "rabbitmq_url": through_proxy, "queue_name": queue_name, "broker": "rabbitmq",
        "rate_limit_per_minute": 0,
    }  # fmt: skip


@asynccontextmanager
async def ingest(settings: dict[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of ingest under uvicorn on a port of its own."""
    parts = once_per_loop(lambda: wire(Settings(**settings)))
    server = uvicorn.Server(uvicorn.Config(create_app(parts), port=0, lifespan="off", log_level="warning"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        yield client
    server.should_exit = True
    await serving
    await parts().publisher.close()


async def received(broker: RabbitMQBroker) -> list[list[Item]]:
    """The envelopes on the queue, taken off."""
    envelopes = []
    while message := await broker.receive():
        envelopes.append(decode_envelope(message.body, now=datetime.now(UTC))[0])
        await message.complete()
    return envelopes


async def post(client: httpx.AsyncClient, **changes: Any) -> httpx.Response:
    return await client.post("/transactions", json=a_posted_transaction(**changes))


async def counted(client: httpx.AsyncClient, metric: str) -> float:
    lines = (await client.get("/metrics")).text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(metric))


async def test_a_posted_transaction_is_on_the_queue_once_it_is_answered(settings, broker) -> None:
    async with ingest(settings) as client:
        before = await counted(client, "transactions_ingested_total")
        response = await post(client)
        again = await post(client, amount="26.00")
        reading = await client.get("/health/ready")
        after = await counted(client, "transactions_ingested_total")
    assert (response.status_code, again.status_code, reading.status_code) == (202, 409, 200)
    assert [[item.transaction.transaction_id for item in envelope] for envelope in await received(broker)] == [
        ["txn-1"]
    ]
    assert after - before == 1


async def test_simultaneous_posts_share_envelopes_and_each_is_queued_once(settings, broker) -> None:
    ids = [f"t{n}" for n in range(200)]
    async with ingest(settings) as client:
        responses = await asyncio.gather(*(post(client, transaction_id=each) for each in ids))
    envelopes = await received(broker)
    assert {response.status_code for response in responses} == {202}
    assert sorted(item.transaction.transaction_id for envelope in envelopes for item in envelope) == sorted(ids)
    assert len(envelopes) < len(ids)


async def test_a_batch_of_a_thousand_is_queued_and_answered_in_order(settings, broker) -> None:
    posted = [a_posted_transaction(transaction_id=f"t{n}") for n in range(1000)]
    async with ingest(settings) as client:
        response = await client.post("/transactions/batch", json={"transactions": posted})
    results = response.json()["results"]
    assert [result["transaction_id"] for result in results] == [each["transaction_id"] for each in posted]
    assert [len(envelope) for envelope in await received(broker)] == [100] * 10


async def test_a_stopped_broker_gives_503_and_unready_and_comes_back(settings, broker) -> None:
    async with ingest(settings) as client:
        await broker.take_away()
        away = await post(client)
        unready = await client.get("/health/ready")
        await broker.bring_back()
        back = await post(client)
    assert (away.status_code, unready.status_code, back.status_code) == (503, 503, 202)
    assert int(away.headers["retry-after"]) >= 1


async def test_a_queue_that_is_too_deep_gives_503_until_it_is_drained(settings, broker) -> None:
    async with ingest(settings | {"queue_full_at": 2}) as client:
        queued = await status_until(client, 503)
        refused = await counted(client, 'transactions_refused_total{reason="backlog"}')
        ready = await client.get("/health/ready")
        taken = await received(broker)
        await status_until(client, 202)
        assert "queue_depth_envelopes 0.0" in (await client.get("/metrics")).text
    assert len(taken) == queued > 2
    assert refused >= 1
    assert ready.status_code == 200


async def status_until(client: httpx.AsyncClient, status: int) -> int:
    """Post until it is answered with `status`; returns how many came before."""
    async with asyncio.timeout(15):
        for number in count():
            if (await post(client, transaction_id=f"{status}-{number}")).status_code == status:
                return number
            await asyncio.sleep(0.05)
    raise AssertionError


async def timed_post(client: httpx.AsyncClient, delay: float, transaction_id: str) -> tuple[int, float]:
    """Status, and seconds to the answer of a POST that is sent after `delay` seconds."""
    await asyncio.sleep(delay)
    start = monotonic()
    return (await post(client, transaction_id=transaction_id)).status_code, monotonic() - start


async def test_a_broker_that_hangs_gives_503_to_all_within_five_seconds_of_their_requests(
    settings, broker
) -> None:
    async with ingest(settings) as client:
        await post(client)
        broker.proxy.stall()
        answers = await asyncio.gather(timed_post(client, 0, "a"), timed_post(client, 2, "b"))
        broker.proxy.flow()
    assert [status for status, _ in answers] == [503, 503]
    assert all(seconds < 5 for _, seconds in answers)


async def test_services_that_accept_and_stay_silent_give_503_within_five_seconds(settings) -> None:
    async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(stay_silent, "127.0.0.1", 0) as server:
        at = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        silent = {"rabbitmq_url": f"amqp://guest:guest@{at}/", "redis_url": f"redis://{at}/0"}
        async with ingest(settings | silent | {"rate_limit_per_minute": 9}) as client:
            answers = await asyncio.gather(*(timed_post(client, delay, f"t{delay}") for delay in (0, 2, 4)))
    assert [status for status, _ in answers] == [503, 503, 503]
    assert all(seconds < 5 for _, seconds in answers)


async def test_without_redis_and_database_transactions_are_taken_and_the_lack_is_counted(settings, broker) -> None:
    without = settings | NOWHERE | {"rabbitmq_url": settings["rabbitmq_url"], "rate_limit_per_minute": 1}
    async with ingest(without) as client:
        before = [await counted(client, name) for name in ("rate_limit_unavailable", "receipts_unavailable")]
        responses = [(await post(client, transaction_id=f"t{n}")).status_code for n in range(3)]
        after = [await counted(client, name) for name in ("rate_limit_unavailable", "receipts_unavailable")]
        health = await client.get("/health")
    assert responses == [202, 202, 202]
    assert [b - a for a, b in zip(before, after, strict=True)] == [3, 6]
    assert (health.status_code, health.json()["database"]) == (200, "away")


async def test_the_rate_limit_holds_over_the_real_redis(settings, broker) -> None:
    async with ingest(settings | {"rate_limit_per_minute": 2}) as client:
        responses = await asyncio.gather(*(post(client, transaction_id=f"t{n}") for n in range(5)))
        refused = [response for response in responses if response.status_code == 429]
    assert len(refused) == 3
    assert all(1 <= int(response.headers["retry-after"]) <= 60 for response in refused)


async def test_a_recorded_transaction_is_read_back_from_postgresql(settings, database_url) -> None:
    item = decode_envelope_of(a_posted_transaction(transaction_id="read-1", geo_lat=1.5, geo_lon=2.5))
    decision = Decision(0.6, 0.9, RiskLabel.HIGH, (), raises_alert=True, threshold=0.8, model_version="v1")
    recorder = PostgresRecorder(database_url)
    await asyncio.to_thread(
        recorder.record,
        [ScoredTransaction(item.transaction, decision, item.payload, item.content_hash, item.received_at)],
        [RejectedMessage("amount_form", "bad", b"{}", "read-2")],
    )
    async with ingest(settings | {"database_url": database_url}) as client:
        scored = (await client.get("/transactions/read-1")).json()
        rejected = (await client.get("/transactions/read-2")).json()
        unknown = await client.get("/transactions/read-3")
    assert (scored["status"], scored["score"], scored["amount"], scored["geo_lat"]) == ("scored", 0.9, "25", 1.5)
    assert scored["alert_id"] is not None
    assert (rejected["status"], unknown.status_code) == ("rejected", 404)


def decode_envelope_of(posted: dict[str, Any]) -> Item:
    [item], _ = decode_envelope(
        json.dumps({"v": 1, "items": [{"transaction": posted}]}).encode(), now=datetime.now(UTC)
    )
    return item
