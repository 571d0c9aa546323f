"""Ingest refuses early while the queue is deeper than a setting, and never because its depth is unknown."""

import asyncio
import logging
from typing import Any

import pytest

from functions.ingest.back_pressure import OPENS_AT, READ_EVERY_SECONDS, TRUSTED_SECONDS, BackPressure
from shared.broker.memory import MemoryPublisher, MemoryQueue
from tests.builders import a_posted_transaction
from tests.unit.ingest_door import a_door
from tests.waiting import FakeTime


class CountingPublisher(MemoryPublisher):
    """A broker that counts how often its depth is read."""

    def __init__(self, queue: MemoryQueue) -> None:
        super().__init__(queue)
        self.readings = 0

    async def depth(self) -> int:
        self.readings += 1
        return await super().depth()


class StuckPublisher(CountingPublisher):
    """A broker that never says how deep its queue is."""

    async def depth(self) -> int:
        self.readings += 1
        return await asyncio.Event().wait()


class PuzzlingPublisher(MemoryPublisher):
    """A broker adapter with a bug."""

    async def depth(self) -> int:
        raise ValueError("no number")


class Bench:
    """Back-pressure over a queue in memory; time moves by hand."""

    def __init__(self, full_at: int, publisher: type[MemoryPublisher] = CountingPublisher) -> None:
        self.queue, self.time = MemoryQueue(), FakeTime()
        self.publisher: Any = publisher(self.queue)
        self.back_pressure = BackPressure(self.publisher, full_at, self.time.clock)

    def fill(self, envelopes: int) -> None:
        while self.queue.waiting < envelopes:
            self.queue.put(b"{}", "m")
        while self.queue.waiting > envelopes:
            self.queue.receive()

    async def is_full_after_reading(self) -> bool:
        self.time.now += READ_EVERY_SECONDS
        self.back_pressure.is_full()
        await asyncio.sleep(0.001)
        return self.back_pressure.is_full()


async def test_a_queue_is_full_beyond_the_setting_and_open_again_somewhat_below_it() -> None:
    bench = Bench(full_at=100)
    told = []
    for depth in (100, 101, 100, int(100 * OPENS_AT) + 1, int(100 * OPENS_AT), 100, 101):
        bench.fill(depth)
        told.append(await bench.is_full_after_reading())

    assert told == [False, True, True, True, False, False, True]


async def test_the_depth_is_read_once_a_second_however_many_ask() -> None:
    bench = Bench(full_at=1)
    for _ in range(10):
        bench.time.now += READ_EVERY_SECONDS / 4
        for _ in range(100):
            bench.back_pressure.is_full()
        await asyncio.sleep(0.001)

    assert bench.publisher.readings == 3


async def test_a_reading_that_does_not_end_is_not_begun_again_and_refuses_nothing() -> None:
    bench = Bench(full_at=1, publisher=StuckPublisher)
    told = [await bench.is_full_after_reading() for _ in range(5)]

    assert (told, bench.publisher.readings) == ([False] * 5, 1)


async def test_what_was_read_long_ago_refuses_nothing() -> None:
    bench = Bench(full_at=1)
    bench.fill(2)
    assert await bench.is_full_after_reading()

    bench.time.now += TRUSTED_SECONDS

    assert not bench.back_pressure.is_full()


async def test_a_depth_that_cannot_be_read_refuses_nothing_and_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench(full_at=1)
    bench.fill(2)
    full = await bench.is_full_after_reading()
    with caplog.at_level(logging.INFO):
        bench.queue.available = False
        away = [await bench.is_full_after_reading() for _ in range(3)]
        bench.queue.available = True
        back = await bench.is_full_after_reading()

    assert (full, away, back) == (True, [False] * 3, True)
    assert [record.event for record in caplog.records] == ["service_away", "service_back"]  # type: ignore[attr-defined]


async def test_an_adapter_with_a_bug_refuses_nothing() -> None:
    assert not await Bench(full_at=1, publisher=PuzzlingPublisher).is_full_after_reading()


async def test_without_the_setting_nobody_asks() -> None:
    bench = Bench(full_at=0)
    bench.fill(10)

    assert not await bench.is_full_after_reading()
    assert bench.publisher.readings == 0


async def test_behind_a_full_queue_posts_are_refused_before_anything_is_taken() -> None:
    async with a_door(per_minute=1, queue_full_at=1) as door:
        for _ in range(2):
            door.queue.put(b"{}", "m")
        await door.post({})  # starts the first reading, and is invalid
        await asyncio.sleep(0.001)
        single = await door.post(a_posted_transaction())
        batch = await door.post_batch(a_posted_transaction())
        health = await door.client.get("/health/ready")
        [admission] = await door.rate_limit.admit(["acct-1"])

    assert [(each.status_code, each.headers["retry-after"]) for each in (single, batch)] == [(503, "5")] * 2
    assert single.json()["type"] == "urn:fraudsense:problem:backlog"
    assert (door.queue.waiting, door.receipts.kept, admission.admitted) == (2, {}, True)
    assert health.status_code == 200
