"""One invocation by the host: pause while poisoned, score, tell, settle."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock

from functions.score.circling import Circling
from functions.score.fault import Reach, no_fault
from functions.score.handler import Outcome, score
from functions.score.health import Health
from functions.score.patience import Patience
from functions.score.poison import PoisonLimits, PoisonWatch, Standing
from functions.score.put_back import PutBack
from functions.score.telling import tell
from shared.domain.errors import DatabaseUnavailable, HistoryUnavailable, NewerEnvelope
from shared.ports import AlertAnnouncer, DecisionRecorder, HistoryStore, Scorer
from shared.telemetry import metrics
from shared.telemetry.availability import Availability
from shared.telemetry.logs import Event, log

logger = logging.getLogger(__name__)


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Parts:
    """What an invocation works with; `scorer` is asked once for each, so that models change between batches."""

    history: HistoryStore
    scorer: Callable[[], Scorer]
    recorder: DecisionRecorder
    announcer: AlertAnnouncer
    put_back: PutBack
    health: Health
    retry_budget: timedelta
    poison_limits: PoisonLimits
    poison_pause: timedelta
    reach: Reach = no_fault
    now: Callable[[], datetime] = _utc_now
    sleep: Callable[[float], object] = time.sleep
    clock: Callable[[], float] = time.monotonic


class Invocations:
    """The function behind the trigger, with what it remembers between invocations. Safe for threads."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._turn = Lock()
        self._watch = PoisonWatch(parts.poison_limits)
        self._services: dict[str, Availability] = {}
        self._circling = Circling(clock=parts.clock)

    def run(self, messages: Sequence[bytes]) -> Outcome | None:
        """Score these messages; None where they were put back because a service stayed away.

        Whatever it raises makes the host deliver the messages again.
        """
        self._pause_while_poisoned()
        parts, began = self._parts, self._parts.clock()
        try:
            outcome = self._score(messages)
        except (HistoryUnavailable, DatabaseUnavailable) as error:
            parts.put_back.outage(messages, error)
            return None
        tell(outcome, timedelta(seconds=parts.clock() - began))
        self._watch_poison(outcome)
        if outcome.newer:
            self._put_back_newer(outcome.newer)
        return outcome

    def _score(self, messages: Sequence[bytes]) -> Outcome:
        parts = self._parts
        return score(
            messages,
            history=parts.history,
            scorer=parts.scorer(),
            recorder=parts.recorder,
            announcer=parts.announcer,
            patience=Patience(parts.retry_budget, self._services, sleep=parts.sleep),
            now=parts.now,
            reach=parts.reach,
        )

    def _pause_while_poisoned(self) -> None:
        """The pause that is due, if any; then so many messages are tried that the next is not due at once."""
        if self._watch.standing is not Standing.PAUSING:
            return
        log(logger, logging.ERROR, Event.POISON_PAUSE, self._share_of_poison())
        metrics.count(metrics.POISON_PAUSES)
        self._parts.sleep(self._parts.poison_pause.total_seconds())
        with self._turn:
            self._watch = self._watch.after_pause()

    def _watch_poison(self, outcome: Outcome) -> None:
        with self._turn:
            self._watch = self._watch.after(outcome.poison)
            if self._watch.standing is Standing.FLOWING:
                self._parts.health.pause("")
            elif self._watch.standing is Standing.PAUSING:
                self._parts.health.pause(self._share_of_poison())

    def _share_of_poison(self) -> str:
        share = f"{self._watch.share:.0%}"
        return f"Paused: {share} of the last messages were rejected, so the code is wrong, not the data."

    def _put_back_newer(self, newer: Sequence[bytes]) -> None:
        """At once, so that they hold up nothing else, but none sooner than a round after the last time."""
        if wait := self._circling.too_early(newer):
            self._parts.sleep(wait)
        self._parts.put_back.newer(newer, NewerEnvelope())
        self._circling.put_back(newer)
