"""What alerts does besides answering: read alerts, listen to the live feed, sweep. None of it ever gives up."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from time import monotonic

from functions.alerts.hub import Hub
from functions.alerts.parts import Feed, Parts
from functions.alerts.sweeper import sweep_all
from shared.domain.errors import DatabaseUnavailable, FeedUnavailable
from shared.telemetry.availability import Availability
from shared.telemetry.logs import Event
from shared.telemetry.metrics import ALERTS_RETRIES, count

TICK_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 5.0

_logger = logging.getLogger(__name__)


@asynccontextmanager
async def running(parts: Parts) -> AsyncIterator[None]:
    """All background work, from entering the block to leaving it; then the connections are given back."""
    heard = Availability("listen")
    works = (
        keep_going("read_alerts", partial(read_alerts, parts.hub), Availability("read_alerts")),
        keep_going("listen", partial(listen, parts.hub, parts.feed, heard), heard),
        keep_going("sweep", partial(sweep_all, parts.alerts, parts.announcer), Availability("sweep")),
    )
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await parts.close()


async def read_alerts(hub: Hub) -> None:
    """Catch up with the recorded alerts, now and whenever it is asked for, at least every second."""
    await hub.catch_up()
    await hub.reading_requested(TICK_SECONDS)


async def listen(hub: Hub, feed: Feed, availability: Availability) -> None:
    """Hand the hub every message of the live feed; a (new) subscription means that some may have been missed."""
    async for message in feed():
        availability.answered()
        if message is None:
            hub.request_reading()
        else:
            hub.receive(message)


async def keep_going(name: str, work: Callable[[], Awaitable[None]], availability: Availability) -> None:
    """Do `work` again and again until cancelled; after a failure pause, up to 5 s, and count and log it.

    A service that is away is logged when that begins and when it ends.
    """
    failures = 0
    while True:
        began = monotonic()
        try:
            await work()
            availability.answered()
            failures = 0
        except Exception as error:  # noqa: BLE001 - a door: whatever failed, the stream must go on
            failures = 1 if monotonic() - began > LONGEST_PAUSE_SECONDS else failures + 1
            _note(name, error, availability)
            await asyncio.sleep(_pause(failures))


def _note(name: str, error: Exception, availability: Availability) -> None:
    count(ALERTS_RETRIES, task=name)
    if isinstance(error, DatabaseUnavailable | FeedUnavailable):
        availability.failed(error)
    else:
        _logger.error("unexpected error", exc_info=error, extra={"event": Event.UNEXPECTED_ERROR, "task": name})


def _pause(failures: int) -> float:
    """Seconds before the next attempt: doubling, jittered so that replicas do not knock together."""
    return min(0.25 * 2.0**failures, LONGEST_PAUSE_SECONDS) * random.uniform(0.5, 1)
