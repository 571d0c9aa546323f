"""The books in memory, under the same contract suite as PostgreSQL's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from uuid import UUID

from shared.domain.alert import Alert, alert_id_for
from shared.domain.books import Rejection, first_of_each_id, id_conflicts, rejections
from shared.domain.decision import RejectedMessage, ScoredTransaction
from shared.domain.errors import DatabaseUnavailable
from shared.ports import Recorded


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class MemoryRecorder:
    """Implements `ports.DecisionRecorder`; what it holds can be read. `away` makes every call fail."""

    now: Callable[[], datetime] = _utc_now
    recorded: dict[str, ScoredTransaction] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)
    announced: dict[UUID, datetime] = field(default_factory=dict)
    rejected: dict[bytes, Rejection] = field(default_factory=dict)
    away: bool = False
    _turn: Lock = field(default_factory=Lock)

    def record(self, scored: Sequence[ScoredTransaction], rejected: Sequence[RejectedMessage]) -> Recorded:
        """See the port."""
        self.check()
        with self._turn:
            firsts = first_of_each_id(scored)
            new = {name: each for name, each in firsts.items() if name not in self.recorded}
            self.recorded |= new
            hashes = {name: self.recorded[name].content_hash for name in firsts}
            conflicts = id_conflicts(scored, hashes)
            self._reject([*rejected, *conflicts])
            for each in new.values():
                if each.decision.raises_alert:
                    self.alerts.append(_alert(each, seq=len(self.alerts) + 1, created_at=self.now()))
            return Recorded(frozenset(new), conflicts)

    def unannounced(self, transaction_ids: Sequence[str]) -> list[Alert]:
        """See the port."""
        self.check()
        wanted = set(transaction_ids)
        return [a for a in self.alerts if a.transaction_id in wanted and a.alert_id not in self.announced]

    def mark_announced(self, alerts: Sequence[Alert], at: datetime) -> None:
        """See the port; an alert already marked keeps its time."""
        self.check()
        for alert in alerts:
            self.announced.setdefault(alert.alert_id, at)

    def check(self) -> None:
        """See the port."""
        if self.away:
            raise DatabaseUnavailable

    def _reject(self, messages: Sequence[RejectedMessage]) -> None:
        for each in rejections(messages):
            before = self.rejected.get(each.digest)
            times = each.times + (before.times if before else 0)
            self.rejected[each.digest] = Rejection(each.digest, (before or each).message, times)


def _alert(scored: ScoredTransaction, *, seq: int, created_at: datetime) -> Alert:
    transaction, decision = scored.transaction, scored.decision
    return Alert(
        alert_id=alert_id_for(transaction.transaction_id),
        seq=seq,
        transaction_id=transaction.transaction_id,
        account_id=transaction.account_id,
        merchant_id=transaction.merchant_id,
        amount=transaction.amount,
        currency=transaction.currency,
        risk=decision.risk,
        risk_label=decision.label,
        reasons=decision.reasons,
        threshold=decision.threshold,
        model_version=decision.model_version,
        occurred_at=transaction.occurred_at,
        created_at=created_at,
    )
