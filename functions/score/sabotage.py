"""Score with a guarantee taken away, to show that the tests of delivery would notice; for the local build only."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import psycopg

from functions.score.fault import Guarantee
from functions.score.invocation import Parts
from shared.domain.alert import Alert
from shared.domain.decision import RejectedMessage, ScoredTransaction
from shared.domain.errors import DatabaseUnavailable
from shared.domain.history import History
from shared.domain.transaction import Transaction
from shared.ports import DecisionRecorder, HistoryStore, Recorded


def sabotaged(parts: Parts, off: Collection[Guarantee], database_url: str) -> Parts:
    """The parts without these guarantees."""
    for guarantee in off:
        parts = _WITHOUT[guarantee](parts, database_url)
    return parts


class ForgetfulHistory:
    """A history that counts a transaction as often as it comes: each time under a fresh id."""

    def __init__(self, history: HistoryStore) -> None:
        self._history = history
        self.check = history.check

    def observe(self, transactions: Sequence[Transaction]) -> list[History]:
        """As the port, but not idempotent."""
        return self._history.observe([replace(each, transaction_id=uuid4().hex) for each in transactions])


class OpenGate:
    """A recorder whose gate knows no id of the batch: what was recorded before is recorded again."""

    def __init__(self, recorder: DecisionRecorder, database_url: str) -> None:
        self._recorder, self._url = recorder, database_url
        self.unannounced, self.mark_announced = recorder.unannounced, recorder.mark_announced
        self.check = recorder.check

    def record(self, scored: Sequence[ScoredTransaction], rejected: Sequence[RejectedMessage]) -> Recorded:
        """As the port, but only the tables' own keys stand between a repetition and a second row."""
        ids = [each.transaction.transaction_id for each in scored]
        try:
            with psycopg.connect(self._url, connect_timeout=5) as connection:
                connection.execute("DELETE FROM transaction_ids WHERE transaction_id = ANY(%s)", [ids])
        except psycopg.OperationalError as error:
            raise DatabaseUnavailable(str(error)) from error
        return self._recorder.record(scored, rejected)


class HastyOutbox:
    """A recorder that marks alerts as announced when it records them, before anybody published them."""

    def __init__(self, recorder: DecisionRecorder) -> None:
        self._recorder = recorder
        self._alerts: Sequence[Alert] = ()
        self.check = recorder.check

    def record(self, scored: Sequence[ScoredTransaction], rejected: Sequence[RejectedMessage]) -> Recorded:
        """As the port."""
        recorded = self._recorder.record(scored, rejected)
        self._alerts = self._recorder.unannounced([each.transaction.transaction_id for each in scored])
        self._recorder.mark_announced(self._alerts, datetime.now(UTC))
        return recorded

    def unannounced(self, _: Sequence[str]) -> list[Alert]:
        """The alerts of the last batch, though they are marked already."""
        return [*self._alerts]

    def mark_announced(self, alerts: Sequence[Alert], at: datetime) -> None:
        """Nothing is left to mark."""


_WITHOUT: Mapping[Guarantee, Callable[[Parts, str], Parts]] = {
    Guarantee.GATE: lambda parts, url: replace(parts, recorder=OpenGate(parts.recorder, url)),
    Guarantee.HISTORY: lambda parts, _: replace(parts, history=ForgetfulHistory(parts.history)),
    Guarantee.OUTBOX: lambda parts, _: replace(parts, recorder=HastyOutbox(parts.recorder)),
}
