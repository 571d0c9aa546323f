"""One WebSocket client's stream: `ready`, what it missed, then alerts as they come."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Protocol

from functions.alerts import frames
from functions.alerts.frames import Frame
from functions.alerts.hub import PAGE, AlertSource, Hub, Mailbox
from shared.domain.alert import Alert
from shared.domain.errors import DatabaseUnavailable
from shared.telemetry.metrics import DELIVERED, SLOW_CLIENTS, count

NEWEST = 100
PING_SECONDS = 15.0
RETRY_SECONDS = 1.0
CLOSE_SECONDS = 10.0
TOO_SLOW = 4408
TRY_LATER = 1013
_SEQ = re.compile(r"\d{1,18}", re.ASCII)


class Socket(Protocol):
    """The client's side of the stream, already accepted. Sending may raise where the client has gone."""

    async def send(self, text: str) -> None:
        """Send one text frame; waits while the client's buffers are full."""

    async def gone(self) -> None:
        """Return once the client has closed; what it sends is ignored."""

    async def close(self, code: int, reason: str) -> None:
        """Close the connection."""


def cursor(after: str | None, high: int) -> int | None:
    """The last seq the client has: `high` where `after` is beyond that or makes no sense, None without one."""
    if after is None:
        return None
    return min(int(after), high) if _SEQ.fullmatch(after) else high


async def serve(socket: Socket, hub: Hub, source: AlertSource, after: str | None) -> None:
    """Serve one client until it has gone; one that is too slow is closed with 4408, one too many with 1013."""
    await _until_first(socket.gone(), hub.started())
    if not hub.is_started:
        return
    if hub.clients >= hub.most_clients:
        await _say_goodbye(socket, TRY_LATER, "too many clients: connect again later")
        return
    mailbox, high = hub.register()
    try:
        await _until_first(
            socket.gone(),
            mailbox.overflowed.wait(),
            _send_all(socket, source, mailbox, cursor(after, high), high),
        )
    finally:
        hub.unregister(mailbox)
    if mailbox.overflowed.is_set():
        count(SLOW_CLIENTS)
        await _say_goodbye(socket, TOO_SLOW, "too slow: connect again with ?after=<last seq>")


async def _say_goodbye(socket: Socket, code: int, reason: str) -> None:
    await _until_first(socket.close(code, reason), asyncio.sleep(CLOSE_SECONDS))


async def _send_all(socket: Socket, source: AlertSource, mailbox: Mailbox, after: int | None, high: int) -> None:
    await socket.send(frames.ready(high))
    async for page in _missed(source, after, high):
        await _send(socket, page)
    while True:
        waiting = await mailbox.take(PING_SECONDS)
        if waiting:
            await _send(socket, waiting)
        else:
            await socket.send(frames.PING)


async def _send(socket: Socket, page: list[Frame]) -> None:
    for frame in page:
        await socket.send(frame.text)
    count(DELIVERED, len(page))


async def _missed(source: AlertSource, after: int | None, high: int) -> AsyncIterator[list[Frame]]:
    """Pages of (after, high], or without a cursor the newest ones up to `high`."""
    if after is None:
        newest = await _patiently(source.newest, NEWEST)
        yield _up_to(high, sorted(newest, key=lambda alert: alert.seq))
        return
    while after < high:
        page = _up_to(high, await _patiently(source.newer_than, after, PAGE))
        yield page
        after = page[-1].seq if len(page) == PAGE else high


def _up_to(high: int, alerts: list[Alert]) -> list[Frame]:
    return [frames.recorded(alert) for alert in alerts if alert.seq <= high]


async def _patiently(read: Callable[..., Awaitable[list[Alert]]], *args: int) -> list[Alert]:
    """Read, waiting for the database as long as it is away: the client stays connected."""
    while True:
        try:
            return await read(*args)
        except DatabaseUnavailable:
            await asyncio.sleep(RETRY_SECONDS)


async def _until_first(*works: Coroutine[Any, Any, object]) -> None:
    """Run all until one ends, cancel the others, and raise what it raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
