"""Refusing early while the queue is too deep: what it holds is read beside the requests, never in their way."""

import asyncio
import time
from collections.abc import Callable

from shared.ports import EnvelopePublisher
from shared.telemetry.availability import Availability
from shared.telemetry.metrics import QUEUE_DEPTH, QUEUE_DEPTH_UNKNOWN, count, show

READ_EVERY_SECONDS = 1.0
TRUSTED_SECONDS = 8.0
"""Longer than the slowest reading: an older one says nothing about the queue of today."""
OPENS_AT = 0.9
"""The share of the limit at which a full queue counts as open again, so that it does not flutter."""


class BackPressure:
    """Whether the queue holds more than `full_at` messages, as last read; 0 turns it off.

    Belongs to one event loop. A queue whose depth is not known is not full: publishing says what is wrong.
    """

    def __init__(
        self, publisher: EnvelopePublisher, full_at: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._publisher = publisher
        self._full_at = full_at
        self._clock = clock
        self._known = Availability("The queue's depth")
        self._next_reading = self._full_until = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    def is_full(self) -> bool:
        """Answers at once; at most once a second it also starts the next reading."""
        if not self._full_at:
            return False
        now = self._clock()
        if self._reading is None and now >= self._next_reading:
            self._next_reading = now + READ_EVERY_SECONDS
            self._reading = asyncio.create_task(self._read())
        return now < self._full_until

    async def _read(self) -> None:
        try:
            self._judge(await self._publisher.depth())
            self._known.answered()
        except Exception as error:  # noqa: BLE001 - a door: nobody awaits this task; the queue counts as open
            self._full_until = float("-inf")
            count(QUEUE_DEPTH_UNKNOWN)
            self._known.failed(error)
        finally:
            self._reading = None

    def _judge(self, depth: int) -> None:
        show(QUEUE_DEPTH, depth)
        now = self._clock()
        limit = self._full_at * OPENS_AT if now < self._full_until else self._full_at
        self._full_until = now + TRUSTED_SECONDS if depth > limit else float("-inf")
