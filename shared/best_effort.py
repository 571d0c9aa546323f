"""Calls to Redis that may fail: a short timeout, and a pause after a failure, so that an outage costs little."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from redis.exceptions import RedisError

from shared.telemetry.availability import Availability

T = TypeVar("T")
TIMEOUT = timedelta(seconds=0.5)
PAUSE = timedelta(seconds=1)


class BestEffort:
    """Makes calls to one service, or leaves them out for a while after one that failed."""

    def __init__(self, service: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._availability = Availability(service)
        self._clock = clock
        self._paused_until = float("-inf")

    async def call(self, make: Callable[[], Awaitable[T]]) -> T | None:
        """The result of `make()`; None where it failed, took longer than TIMEOUT, or is left out (see PAUSE)."""
        if self._clock() < self._paused_until:
            return None
        try:
            async with asyncio.timeout(TIMEOUT.total_seconds()):
                result = await make()
        except (RedisError, OSError, TimeoutError) as error:
            self._paused_until = self._clock() + PAUSE.total_seconds()
            self._availability.failed(error)
            return None
        self._availability.answered()
        return result
