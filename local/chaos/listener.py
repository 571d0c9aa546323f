"""Who listens: a client of the stream that reconnects with its cursor, and a subscriber of the live channel."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import redis.asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from shared.domain.errors import FeedUnavailable
from shared.live_feed import subscribe

CONNECT_SECONDS = 5
PAUSE_SECONDS = 0.2


@dataclass(slots=True)
class StreamClient:
    """A dashboard: every frame's seq in order of arrival; after a lost connection it continues behind the last."""

    url: str
    seqs: list[int] = field(default_factory=list)
    connections: int = 0
    _socket: ClientConnection | None = None

    async def listen(self) -> None:
        """Until cancelled."""
        while True:
            with suppress(OSError, WebSocketException, TimeoutError):
                async with connect(self._address(), open_timeout=CONNECT_SECONDS, close_timeout=1) as socket:
                    self._socket = socket
                    self.connections += 1
                    async for frame in socket:
                        self._take(json.loads(frame))
            self._socket = None
            await asyncio.sleep(PAUSE_SECONDS)

    def drop(self) -> bool:
        """Cut the connection without a goodbye; whether there was one."""
        if self._socket is None:
            return False
        self._socket.transport.abort()
        return True

    def _address(self) -> str:
        return f"{self.url}/alerts/stream?after={self.seqs[-1] if self.seqs else 0}"

    def _take(self, frame: dict[str, object]) -> None:
        if frame["type"] == "alert" and isinstance(seq := frame["seq"], int):
            self.seqs.append(seq)


@dataclass(frozen=True, slots=True)
class Gap:
    """From the last message heard to the new subscription: what was announced meanwhile may have been missed."""

    begin: datetime
    end: datetime


@dataclass(slots=True)
class Subscriber:
    """Another listener of the live channel: the alert ids it heard, and when it may have missed some."""

    client: redis.asyncio.Redis
    heard: set[str] = field(default_factory=set)
    gaps: list[Gap] = field(default_factory=list)
    _last: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def listen(self) -> None:
        """Until cancelled."""
        while True:
            with suppress(FeedUnavailable):
                async for message in subscribe(self.client):
                    self._take(message)
            await asyncio.sleep(PAUSE_SECONDS)

    def _take(self, message: bytes | None) -> None:
        now = datetime.now(UTC)
        if message is None:
            self.gaps.append(Gap(self._last, now))
        else:
            self.heard.add(json.loads(message)["alert_id"])
        self._last = now
