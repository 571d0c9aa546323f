"""Block and trust lists: accounts, merchants and devices that the team judges by itself."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.decision import Decision, Reason, RiskLabel
from shared.domain.transaction import Transaction

BLOCKED_RISK, TRUSTED_RISK = 1.0, 0.0
"""The ends of the scale, which no model reaches: a list leaves no doubt."""


class ListedKind(StrEnum):
    """What an entry names."""

    ACCOUNT = "account"
    MERCHANT = "merchant"
    DEVICE = "device"


class Verdict(StrEnum):
    """`block`: every transaction raises an alert; `trust`: none does, unless a rule always alerts."""

    BLOCK = "block"
    TRUST = "trust"


Key = tuple[ListedKind, str]


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry; it counts until just before `expires_at` (aware, in UTC), for ever without one."""

    kind: ListedKind
    value: str
    verdict: Verdict
    by: str
    expires_at: datetime | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        if not self.value:
            raise ValueError("an entry must name something")
        if self.expires_at is not None and self.expires_at.utcoffset() != timedelta(0):
            raise ValueError("expires_at must be aware and in UTC")

    def counts(self, now: datetime) -> bool:
        """Whether it has not expired."""
        return self.expires_at is None or now < self.expires_at

    @property
    def reason(self) -> Reason:
        """Why it decides a transaction."""
        done = "blocked" if self.verdict is Verdict.BLOCK else "trusted"
        until = f" until {self.expires_at:%Y-%m-%d %H:%M} UTC" if self.expires_at else ""
        text = f"The {self.kind} is on the list of {done} {self.kind}s"
        return Reason(f"{done}_{self.kind}", text, self.value, f"{done} by {self.by}{until}")


@dataclass(frozen=True, slots=True)
class Lists:
    """All entries, one for each kind and value."""

    entries: Mapping[Key, Listed] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[Listed]) -> "Lists":
        """The lists with these entries; of two for the same the last counts."""
        return cls({(entry.kind, entry.value): entry for entry in entries})

    def at(self, now: datetime) -> "Lists":
        """Those entries that have not expired."""
        return Lists({key: entry for key, entry in self.entries.items() if entry.counts(now)})

    def blocks(self, transaction: Transaction) -> bool:
        """Whether an entry about it says so."""
        return any(entry.verdict is Verdict.BLOCK for entry in self._about(transaction))

    def settled(self, transaction: Transaction, decision: Decision, *, always_alerts: bool) -> Decision:
        """The decision that the lists leave of a model's: block goes before trust, and trust before the model's.

        Trust does not count where a rule that always alerts fired. The anomaly stays the forest's.
        """
        found = self._about(transaction)
        if not found:
            return decision
        blocking = [entry for entry in found if entry.verdict is Verdict.BLOCK]
        if blocking:
            return replace(
                decision,
                risk=BLOCKED_RISK,
                label=RiskLabel.HIGH,
                raises_alert=True,
                reasons=(*(entry.reason for entry in blocking), *decision.reasons),
            )
        if always_alerts:
            return decision
        reasons = (*(entry.reason for entry in found), *decision.reasons)
        return replace(decision, risk=TRUSTED_RISK, label=RiskLabel.LOW, raises_alert=False, reasons=reasons)

    def _about(self, transaction: Transaction) -> Sequence[Listed]:
        if not self.entries:
            return ()
        names = (
            (ListedKind.ACCOUNT, transaction.account_id),
            (ListedKind.MERCHANT, transaction.merchant_id),
            (ListedKind.DEVICE, transaction.device_id or ""),
        )
        return [entry for name in names if (entry := self.entries.get(name))]


NO_LISTS = Lists()
