"""One contract for receipts, in memory and in Redis."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from shared.ports import Receipts
from shared.receipts import RedisReceipts
from shared.redis_client import redis_client
from shared.redis_keys import receipt_key
from shared.testing.receipts import MemoryReceipts

DAY = timedelta(days=1)


@pytest.fixture(params=["memory", "redis"])
async def receipts(request: pytest.FixtureRequest) -> AsyncIterator[Receipts]:
    if request.param == "memory":
        yield MemoryReceipts()
        return
    async with redis_client(request.getfixturevalue("redis_url")) as client:
        yield RedisReceipts(client, DAY)


async def test_receipts_are_found_by_id_in_the_order_asked(receipts: Receipts) -> None:
    await receipts.remember([("a", b"\x00\xffa"), ("b", b"bb")])
    assert await receipts.find(["b", "x", "a"]) == [b"bb", None, b"\x00\xffa"]


async def test_an_id_keeps_its_first_receipt(receipts: Receipts) -> None:
    await receipts.remember([("a", b"first"), ("a", b"second")])
    await receipts.remember([("a", b"third")])
    assert await receipts.find(["a"]) == [b"first"]


async def test_nothing_asked_is_nothing_found(receipts: Receipts) -> None:
    await receipts.remember([])
    assert await receipts.find([]) == []


async def test_redis_keeps_a_receipt_for_its_time(redis_url: str) -> None:
    async with redis_client(redis_url) as client:
        await RedisReceipts(client, DAY).remember([("a", b"x")])
        assert 86_000 < await client.ttl(receipt_key("a")) <= 86_400


async def test_a_redis_that_is_away_has_no_receipts() -> None:
    async with redis_client("redis://127.0.0.1:1/0") as client:
        receipts = RedisReceipts(client, DAY)
        await receipts.remember([("a", b"x")])
        assert await receipts.find(["a", "b"]) == [None, None]
