"""What ingest holds in memory is bounded in bytes: bodies on their way in, and what waits to be published."""

import asyncio
from collections.abc import Sequence

import pytest
from starlette.types import Message

from functions.ingest.batching import Batcher, QueueFull
from functions.ingest.body import Bodies
from shared.problems import Refused
from tests.builders import a_posted_transaction
from tests.unit.ingest_door import a_door


async def five_bytes() -> Message:
    return {"type": "http.request", "body": b"12345", "more_body": True}


async def test_bodies_beyond_what_all_together_may_take_are_refused_until_others_are_done() -> None:
    bodies = Bodies(capacity=12)
    with bodies.holding(five_bytes) as first:
        await first()
        with bodies.holding(five_bytes) as second:
            await second()
            with pytest.raises(Refused) as refused, bodies.holding(five_bytes) as third:
                await third()
        with bodies.holding(five_bytes) as fourth:
            await fourth()

    assert refused.value.problem.kind.status == 503


async def test_jobs_that_wait_take_a_bounded_number_of_bytes() -> None:
    gate = asyncio.Event()

    async def work(jobs: Sequence[bytes]) -> Sequence[bytes]:
        await gate.wait()
        return jobs

    batcher = Batcher[bytes, bytes](work, capacity=100, room=10, size_of=len)
    in_hand = asyncio.create_task(batcher.submit([b"0" * 9]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting = asyncio.create_task(batcher.submit([b"1" * 5, b"2" * 5]))
    await asyncio.sleep(0)
    with pytest.raises(QueueFull):
        await batcher.submit([b"3"])
    gate.set()

    assert await in_hand == [b"0" * 9]
    assert await waiting == [b"1" * 5, b"2" * 5]
    assert await batcher.submit([b"4" * 10]) == [b"4" * 10]


async def test_batches_are_parsed_one_after_the_other() -> None:
    async with a_door() as door:
        async with door.parts.parsing:
            batch = asyncio.create_task(door.post_batch(a_posted_transaction(transaction_id="t1")))
            single = await door.post(a_posted_transaction(transaction_id="t2"))
            for _ in range(100):
                await asyncio.sleep(0)
            assert not batch.done()
        response = await batch

    assert single.status_code == 202
    assert response.json()["results"][0]["status"] == "queued"
