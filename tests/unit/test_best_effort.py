"""A call that may fail costs little while its service is away."""

import asyncio

import pytest
from redis.exceptions import ConnectionError as RedisAway

from shared.best_effort import PAUSE, BestEffort


class Clock:
    """Seconds, moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Service:
    """Answers 7, unless it is away."""

    def __init__(self) -> None:
        self.calls = 0
        self.failure: Exception | None = None

    async def ask(self) -> int:
        self.calls += 1
        if self.failure:
            raise self.failure
        return 7


async def test_after_a_failure_calls_are_left_out_for_a_while_and_then_tried_again() -> None:
    clock, service = Clock(), Service()
    calls = BestEffort("Redis", clock)
    service.failure = RedisAway("away")
    assert [await calls.call(service.ask) for _ in range(3)] == [None, None, None]
    assert service.calls == 1
    service.failure = None
    assert await calls.call(service.ask) is None
    clock.now = PAUSE.total_seconds()
    assert await calls.call(service.ask) == 7


async def test_a_call_that_hangs_is_given_up() -> None:
    assert await BestEffort("Redis").call(lambda: asyncio.sleep(60, 7)) is None


async def test_a_mistake_of_ours_is_not_taken_for_an_outage() -> None:
    service = Service()
    service.failure = ValueError("mistake")
    with pytest.raises(ValueError, match="mistake"):
        await BestEffort("Redis").call(service.ask)
