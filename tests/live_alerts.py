"""alerts for tests from the outside: its process, a Redis that can be stopped, and a scorer's hand."""

import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import redis

from shared.database.recorder import PostgresRecorder
from shared.domain.alert import Alert
from shared.domain.errors import FeedUnavailable
from shared.live_feed import RedisAnnouncer
from tests.builders import a_scored_transaction, an_alarm
from tests.ports import free_port
from tests.waiting import eventually

ROOT = Path(__file__).parents[1]


class Program:
    """A program that can be started, stopped and started again as it was."""

    def __init__(self, command: list[str], is_up: Callable[[], bool], **environment: str) -> None:
        self._command = command
        self._is_up = is_up
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True) -> None:
        """Start it and, unless told otherwise, wait until it is up."""
        self._process = subprocess.Popen(self._command, cwd=ROOT, env=os.environ | self._environment)
        if wait:
            eventually(self._is_up)

    def stop(self) -> None:
        """SIGTERM; fails where it does not end well within 10 s (uvicorn repeats the signal when all is done)."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            assert self._process.wait(timeout=10) in (0, -signal.SIGTERM)
        finally:
            self._process.kill()
            self._process.wait()

    def crash(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Started, and stopped at the end whatever happens in between."""
        self.start()
        try:
            yield
        finally:
            if self._process is not None and self._process.poll() is None:
                self.stop()


class PrivateRedis(Program):
    """A Redis of the test's own: channels are shared by all databases of a server."""

    def __init__(self) -> None:
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        server = shutil.which("redis-server")
        assert server is not None, "install redis-server: apt-get install redis-server"
        super().__init__([server, "--port", str(port), "--save", "", "--loglevel", "warning"], self._answers)

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False


class AlertsServer(Program):
    """alerts as it is deployed."""

    def __init__(self, database_url: str, redis_url: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.stream_url = f"ws://127.0.0.1:{self.port}/alerts/stream"
        super().__init__(
            [sys.executable, "-m", "functions.alerts"],
            self.is_ready,
            FRAUDSENSE_ALERTS_PORT=str(self.port),
            FRAUDSENSE_DATABASE_URL=database_url,
            FRAUDSENSE_REDIS_URL=redis_url,
            FRAUDSENSE_LOG_LEVEL="WARNING",
        )

    def is_ready(self) -> bool:
        """Whether GET /health answers 200."""
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:  # noqa: S310 - our own server
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


class Scorer:
    """Records alerts and announces them as the scorer does: where Redis is away they stay unannounced."""

    def __init__(self, database_url: str, redis_url: str) -> None:
        self._recorder = PostgresRecorder(database_url)
        self._announcer = RedisAnnouncer(redis.Redis.from_url(redis_url, socket_connect_timeout=1))

    def record(self, **changes: Any) -> Alert:
        """One more recorded alert that nobody announced; its id is a new one."""
        decision = changes.pop("decision", an_alarm())
        transaction_id = f"txn-{uuid4().hex[:12]}"
        scored = a_scored_transaction(transaction_id, decision=decision, **changes)
        self._recorder.record([scored], [])
        return self._recorder.unannounced([transaction_id])[0]

    def record_burst(self, number: int) -> None:
        """So many alerts at once, which clients only get from the database; nothing is left to sweep."""
        names = [f"txn-{uuid4().hex[:12]}" for _ in range(number)]
        self._recorder.record([a_scored_transaction(name, decision=an_alarm()) for name in names], [])
        self._recorder.mark_announced(self._recorder.unannounced(names), datetime.now(UTC))

    def announce(self, alert: Alert) -> bool:
        """Announce it; false where Redis is away."""
        try:
            self._announcer.announce([alert])
        except FeedUnavailable:
            return False
        self._recorder.mark_announced([alert], datetime.now(UTC))
        return True

    def raise_alert(self, **changes: Any) -> Alert:
        """Record an alert and announce it where that is possible."""
        alert = self.record(**changes)
        self.announce(alert)
        return alert

    def close(self) -> None:
        """Give the connections back."""
        self._recorder.close()
