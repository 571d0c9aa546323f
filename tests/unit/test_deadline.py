"""Waiting only so long, and who was cancelled."""

import asyncio

import pytest

from shared.deadline import within


async def cancelled_by_a_library() -> None:
    raise asyncio.CancelledError


async def test_the_result_comes_through() -> None:
    async def work() -> str:
        return "done"

    assert await within(1, work()) == "done"


async def test_work_that_takes_too_long_is_not_waited_for() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            ended.set()

    with pytest.raises(TimeoutError):
        await within(0.01, work())
    assert not ended.is_set()
    await ended.wait()


async def test_work_that_a_library_cancels_does_not_look_like_a_cancelled_caller() -> None:
    with pytest.raises(ConnectionAbortedError):
        await within(1, cancelled_by_a_library())


async def test_a_cancelled_caller_is_cancelled() -> None:
    caller = asyncio.create_task(within(60, asyncio.sleep(60)))
    await asyncio.sleep(0.01)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
