"""Asking score to stop: the waits of its invocations end at once."""

from threading import Event

from shared.domain.errors import FraudSenseError


class Stopping(FraudSenseError):
    """Score stops; the message was not settled and is delivered again."""


class Stop:
    """Once it is asked for, nothing waits any more. Safe for threads."""

    def __init__(self) -> None:
        self._asked = Event()

    def ask(self) -> None:
        """A batch that works goes on to its end; one that waits, or would, raises Stopping."""
        self._asked.set()

    def sleep(self, seconds: float) -> None:
        """Wait as `time.sleep` does; raises Stopping as soon as stopping was asked for."""
        if self._asked.wait(seconds):
            raise Stopping
