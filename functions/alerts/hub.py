"""One hub per process: follows the alerts in sequence order and hands each to every connected client."""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Protocol

from functions.alerts import frames
from functions.alerts.frames import Frame
from shared.domain.alert import Alert

PAGE = 200
CLIENT_QUEUE = 2_000
MOST_CLIENTS = 1_000


class AlertSource(Protocol):
    """The recorded alerts. Raises DatabaseUnavailable."""

    async def highest_seq(self) -> int:
        """The newest alert's sequence number; 0 where there is none."""

    async def newer_than(self, seq: int, limit: int) -> list[Alert]:
        """The first `limit` alerts beyond `seq`, in sequence order."""

    async def newest(self, limit: int) -> list[Alert]:
        """The `limit` newest alerts."""


class Mailbox:
    """Frames waiting for one client, at most `limit`; one more and the client counts as too slow."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[Frame] = deque()
        self._filled = asyncio.Event()
        self.overflowed = asyncio.Event()

    def put(self, frame: Frame) -> None:
        """Add a frame; beyond the limit it is dropped and `overflowed` is set for good."""
        if len(self._waiting) >= self._limit:
            self.overflowed.set()
            return
        self._waiting.append(frame)
        self._filled.set()

    async def take(self, patience: float) -> list[Frame]:
        """Everything that waits, in order, so that a burst costs one wake-up; empty after `patience` seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._filled.wait(), patience)
        taken = [*self._waiting]
        self._waiting.clear()
        self._filled.clear()
        return taken


class Hub:
    """Keeps the last sequence number handed on. Announced alerts that follow it are handed on at once; whatever
    else may have happened is read from the recorded alerts, which are the truth.
    """

    def __init__(
        self, source: AlertSource, *, client_queue: int = CLIENT_QUEUE, most_clients: int = MOST_CLIENTS
    ) -> None:
        self.most_clients = most_clients
        self._source = source
        self._client_queue = client_queue
        self._mailboxes: set[Mailbox] = set()
        self._last = 0
        self._started = asyncio.Event()
        self._wanted = asyncio.Event()

    @property
    def is_started(self) -> bool:
        """Whether the hub knows where the alerts stand."""
        return self._started.is_set()

    @property
    def clients(self) -> int:
        """How many clients are registered."""
        return len(self._mailboxes)

    @property
    def wants_reading(self) -> bool:
        """Whether a reading was requested and has not begun."""
        return self._wanted.is_set()

    async def started(self) -> None:
        """Return once clients can register."""
        await self._started.wait()

    def register(self) -> tuple[Mailbox, int]:
        """A new client's empty mailbox and the last sequence number handed on before it: later ones come to the
        mailbox, earlier ones are the client's to read. One step of the event loop, so none falls between.
        """
        if not self.is_started:
            raise RuntimeError("await started() before registering a client")
        mailbox = Mailbox(self._client_queue)
        self._mailboxes.add(mailbox)
        return mailbox, self._last

    def unregister(self, mailbox: Mailbox) -> None:
        """Forget a client."""
        self._mailboxes.discard(mailbox)

    def receive(self, message: bytes) -> None:
        """Take one message of the live feed: hand it on where it is next, drop it where it is known, and where
        others are missing before it, or it is no alert, ask for a reading.
        """
        frame = frames.announced(message)
        if frame is None or not self.is_started or frame.seq > self._last + 1:
            self.request_reading()
        else:
            self._hand_on(frame)

    def request_reading(self) -> None:
        """Alerts may have been missed: read the recorded ones as soon as possible."""
        self._wanted.set()

    async def reading_requested(self, patience: float) -> None:
        """Return when a reading was requested, at the latest after `patience` seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wanted.wait(), patience)

    async def catch_up(self) -> None:
        """Hand on every recorded alert beyond the last one; raises DatabaseUnavailable, having lost nothing.

        The first call learns where the alerts stand.
        """
        self._wanted.clear()
        if not self.is_started:
            self._last = await self._source.highest_seq()
            self._started.set()
        while await self._hand_on_page() == PAGE:
            pass

    async def _hand_on_page(self) -> int:
        page = await self._source.newer_than(self._last, PAGE)
        for alert in page:
            self._hand_on(frames.recorded(alert))
        return len(page)

    def _hand_on(self, frame: Frame) -> None:
        """Give the frame to every client unless it is known already."""
        if frame.seq <= self._last:
            return
        self._last = frame.seq
        for mailbox in self._mailboxes:
            mailbox.put(frame)
