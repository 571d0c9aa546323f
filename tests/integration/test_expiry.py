"""Whatever the product writes to Redis expires, so that nothing there grows for ever."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
import redis

from functions.ingest.app import create_app
from functions.ingest.wiring import once_per_loop
from functions.ingest.wiring import wire as wire_ingest
from functions.score.invocation import Invocations
from functions.score.wiring import scorer_for, wire
from shared.settings import Settings
from tests.builders import a_posted_transaction
from tests.contract.brokers import rabbitmq_broker

LONGEST = timedelta(days=40)
ACCOUNT_KEYS = {
    "admitted", "refusals", "known", "events", "places", "merchants", "hours", "amounts:USD", "so_far:USD",
    "days:USD",
}  # fmt: skip
OTHER_KEYS = {"receipt", "health:writable"}


@pytest.fixture
def store(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


def posted(number: int) -> list[dict[str, Any]]:
    """Transactions of one new account, an hour apart, the last one now."""
    account, now = f"acct-{uuid4().hex[:12]}", datetime.now(UTC)
    return [
        a_posted_transaction(
            transaction_id=f"{account}-{n}",
            account_id=account,
            timestamp=(now - timedelta(hours=number - 1 - n)).isoformat(),
            geo_lat=1.0,
            geo_lon=2.0,
        )
        for n in range(number)
    ]


async def test_every_key_expires_after_a_batch_went_through_ingest_and_score(
    services, database_url: str, redis_url: str, queue_name: str, store: redis.Redis
) -> None:
    settings = Settings(
        database_url=database_url,
        redis_url=redis_url,
        rabbitmq_url=services.rabbitmq,
        queue_name=queue_name,
        rate_limit_per_minute=50,
    )
    async with rabbitmq_broker(services.rabbitmq, queue_name, "quorum", 100) as broker:
        parts = once_per_loop(lambda: wire_ingest(settings))
        transport = httpx.ASGITransport(create_app(parts))
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
            response = await client.post("/transactions/batch", json={"transactions": posted(60)})
        await parts().publisher.close()
        assert [each.get("status") for each in response.json()["results"]].count("queued") == 50
        score = wire(settings, scorer_for(settings))
        while message := await broker.receive():
            await asyncio.to_thread(Invocations(score).run, [message.body])
            await message.complete()
        score.history.check()

    names = {key.rsplit("}:", 1)[-1] for key in store.scan_iter()}
    lasting = {key: store.ttl(key) for key in store.scan_iter()}
    assert names == ACCOUNT_KEYS | OTHER_KEYS
    assert {key for key, seconds in lasting.items() if not 0 < seconds <= LONGEST.total_seconds()} == set()
