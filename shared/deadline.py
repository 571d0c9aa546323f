"""Waiting for an answer only so long, and not for whatever then does not stop either."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_abandoned: set["asyncio.Task[Any]"] = set()


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`; raises TimeoutError once `seconds` have passed.

    Raises ConnectionAbortedError where somebody else cancelled the work: a library that closes a connection
    cancels what waits on it, which must not look as if the caller were cancelled.

    Unlike asyncio.wait_for it never waits for the work to be cancelled: a connection whose other end is silent
    takes its own time to be torn down, and goes on doing so in the background.
    """
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            raise TimeoutError
        if task.cancelled():
            raise ConnectionAbortedError("The connection was given up while an answer was awaited.")
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            abandon(task)


def abandon(task: "asyncio.Task[Any]") -> None:
    """Let a task end by itself; its result is dropped. Keeps the reference that the event loop does not keep."""
    _abandoned.add(task)
    task.add_done_callback(_drop)


def _drop(task: "asyncio.Task[Any]") -> None:
    _abandoned.discard(task)
    if not task.cancelled():
        task.exception()
