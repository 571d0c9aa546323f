"""Turning Ctrl-C, SIGTERM and a closed terminal into an orderly stop."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
RECONNECT_PAUSE = timedelta(seconds=1)


@contextmanager
def stopping_on_signals() -> Iterator[threading.Event]:
    """An event that any of the signals sets; while this lasts they do nothing else, however often they come."""
    stopping = threading.Event()
    before = {number: signal.signal(number, lambda *_: stopping.set()) for number in SIGNALS}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def pause(stop: asyncio.Event) -> None:
    """Between two attempts to connect; ends early with `stop`."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), RECONNECT_PAUSE.total_seconds())
