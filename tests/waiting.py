"""Waiting in tests: for something to become so, or for a clock that only waiting moves."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def eventually(probe: Callable[[], Result | None], *, within: float = 30) -> Result:
    """The first true answer of `probe`; fails after `within` seconds."""
    deadline = time.monotonic() + within
    while not (answer := probe()):
        assert time.monotonic() < deadline, f"still not so after {within} s"
        time.sleep(0.05)
    return answer


class FakeTime:
    """Sleeping moves it, nothing else does."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def clock(self) -> float:
        """Seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Others finish what they do at this moment first."""
        for _ in range(50 if seconds else 0):
            await asyncio.sleep(0)
        self.now += seconds
