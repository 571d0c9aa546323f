"""One contract for the rate limit: a sliding window per account, in memory and in Redis."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from shared.ports import RateLimit
from shared.rate_limit import RedisRateLimit
from shared.redis_client import redis_client
from shared.redis_keys import REFUSAL_BUCKET_SECONDS, REFUSAL_BUCKETS, REFUSALS, account_key
from shared.testing.rate_limit import MemoryRateLimit

WINDOW = timedelta(milliseconds=400)


@dataclass(frozen=True)
class Limits:
    """A way to make limits over the same state, and to read the refusals."""

    make: Callable[..., RateLimit]
    refusals: Callable[[str], Awaitable[int]]


@pytest.fixture(params=["memory", "redis"])
async def limits(request: pytest.FixtureRequest) -> AsyncIterator[Limits]:
    if request.param == "memory":
        made: list[MemoryRateLimit] = []

        def make(per_minute: int, **options: timedelta) -> MemoryRateLimit:
            made.append(MemoryRateLimit(per_minute, **options))
            return made[-1]

        async def refusals(account_id: str) -> int:
            return made[-1].refusals[account_id]

        yield Limits(make, refusals)
        return
    async with redis_client(request.getfixturevalue("redis_url")) as client:

        async def refusals_in_redis(account_id: str) -> int:
            return sum(map(int, await client.hvals(account_key(account_id, REFUSALS))))

        yield Limits(lambda *args, **options: RedisRateLimit(client, *args, **options), refusals_in_redis)


async def admitted(limit: RateLimit, *account_ids: str) -> list[bool]:
    return [each.admitted for each in await limit.admit(account_ids)]


async def test_places_are_taken_in_order_and_per_account(limits: Limits) -> None:
    limit = limits.make(2)
    assert await admitted(limit, "a", "b", "a", "a", "b") == [True, True, True, False, True]
    assert await admitted(limit, "a", "c") == [False, True]


async def test_refusals_are_counted_for_the_scorer_and_take_no_place(limits: Limits) -> None:
    limit = limits.make(1)
    await limit.admit(["a", "a", "a", "b"])
    await limit.admit(["a"])
    assert (await limits.refusals("a"), await limits.refusals("b")) == (3, 0)


async def test_after_the_wait_that_a_refusal_names_there_is_a_place(limits: Limits) -> None:
    limit = limits.make(2, window=WINDOW)
    await limit.admit(["a", "a"])
    [refused] = await limit.admit(["a"])
    assert timedelta(0) < refused.retry_after <= WINDOW
    await asyncio.sleep(refused.retry_after.total_seconds() + 0.005)
    assert await admitted(limit, "a", "a", "a") == [True, True, False]


async def test_the_window_slides_with_each_admission(limits: Limits) -> None:
    limit = limits.make(2, window=WINDOW)
    await limit.admit(["a"])
    await asyncio.sleep(WINDOW.total_seconds() / 2)
    await limit.admit(["a"])
    [refused] = await limit.admit(["a"])
    assert refused.retry_after <= WINDOW / 2
    await asyncio.sleep(WINDOW.total_seconds() / 2 + 0.005)
    assert await admitted(limit, "a", "a") == [True, False]


async def test_a_limit_of_zero_admits_all(limits: Limits) -> None:
    assert await admitted(limits.make(0), *["a"] * 500) == [True] * 500


async def test_no_transactions_need_no_places(limits: Limits) -> None:
    assert await limits.make(1).admit([]) == []


async def test_places_given_back_are_free_again_per_account(limits: Limits) -> None:
    limit = limits.make(2)
    await limit.admit(["a", "a", "b", "b"])
    await limit.give_back(["a", "a", "b"])
    assert await admitted(limit, "a", "a", "a", "b", "b") == [True, True, False, True, False]


async def test_more_places_than_were_taken_cannot_be_given_back(limits: Limits) -> None:
    limit = limits.make(1)
    await limit.give_back(["a", "a"])
    await limit.give_back([])
    assert await admitted(limit, "a", "a") == [True, False]


async def test_redis_keeps_refusals_for_an_hour_and_places_for_the_window(redis_url: str) -> None:
    async with redis_client(redis_url) as client:
        await RedisRateLimit(client, 1).admit(["a", "a"])
        lifetimes = [await client.ttl(account_key("a", name)) for name in (REFUSALS, "admitted")]
    assert 3590 < lifetimes[0] <= 3600
    assert 50 < lifetimes[1] <= 60


async def test_refusals_that_go_on_do_not_keep_old_ones(redis_url: str) -> None:
    async with redis_client(redis_url) as client:
        key, now = account_key("a", REFUSALS), (await client.time())[0] // REFUSAL_BUCKET_SECONDS
        await client.hset(key, mapping={now - ago: 1 for ago in range(1, REFUSAL_BUCKETS + 9)})
        await RedisRateLimit(client, 1).admit(["a", "a", "a"])
        kept = {int(bucket): int(count) for bucket, count in (await client.hgetall(key)).items()}
    newest = max(kept)
    assert kept[newest] == 2
    assert set(kept) <= set(range(newest - REFUSAL_BUCKETS + 1, newest + 1))
    assert len(kept) >= REFUSAL_BUCKETS - 1


async def test_a_redis_that_forgot_the_script_is_given_it_again(redis_url: str) -> None:
    async with redis_client(redis_url) as client:
        limit = RedisRateLimit(client, 1)
        await limit.admit(["a"])
        await client.script_flush()
        assert await admitted(limit, "a", "b") == [False, True]


async def test_a_redis_that_is_away_admits_all() -> None:
    async with redis_client("redis://127.0.0.1:1/0") as client:
        limit = RedisRateLimit(client, 1)
        assert await admitted(limit, "a", "a") == [True, True]
        assert await admitted(limit, "a") == [True]
        await limit.give_back(["a"])
