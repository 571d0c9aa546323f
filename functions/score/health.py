"""Whether score is ready: its services answer, the deployed models decide, it does not pause for poison."""

import time
from collections.abc import Callable, Mapping
from threading import Lock

from shared.domain.errors import FraudSenseError

ANSWER_KEPT_SECONDS = 1.0


class Health:
    """Asks its services at most once a second, whoever asks. Safe for threads."""

    def __init__(
        self, checks: Mapping[str, Callable[[], None]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._checks = checks
        self._clock = clock
        self._turn = Lock()
        self._paused = ""
        self._away: str | None = None
        self._asked_at = float("-inf")

    def pause(self, reason: str) -> None:
        """Not ready from now on, for this reason; an empty one ends that."""
        self._paused = reason

    def problem(self) -> str | None:
        """Why the scorer is not ready, or None."""
        if self._paused:
            return self._paused
        with self._turn:
            if self._clock() - self._asked_at >= ANSWER_KEPT_SECONDS:
                self._away = self._ask()
                self._asked_at = self._clock()
            return self._away

    def _ask(self) -> str | None:
        for service, check in self._checks.items():
            try:
                check()
            except FraudSenseError as error:
                return f"{service}: {error}"
        return None
