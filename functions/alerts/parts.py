"""What the alerts app is made of; wiring fills it with the real adapters, tests with those in memory."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from functions.alerts.handler import AlertBook
from functions.alerts.hub import AlertSource, Hub
from functions.alerts.sweeper import Unannounced
from shared.ports import AlertAnnouncer, LabelBook

Feed = Callable[[], AsyncIterator[bytes | None]]


class Alerts(AlertBook, AlertSource, Unannounced, Protocol):
    """The recorded alerts, all that this group asks of them."""

    async def check(self) -> None:
        """Return where they can be read; raises DatabaseUnavailable."""


def _now() -> datetime:
    return datetime.now(UTC)


async def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Parts:
    """`feed` subscribes to the live feed anew at each call; `close` gives all connections back."""

    alerts: Alerts
    hub: Hub
    feed: Feed
    announcer: AlertAnnouncer
    labels: LabelBook
    close: Callable[[], Awaitable[None]] = _nothing
    clock: Callable[[], datetime] = _now
