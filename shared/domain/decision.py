"""What the scorer decides about one transaction, as values."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.domain.transaction import Transaction


class RiskLabel(StrEnum):
    """The band of a risk: HIGH raises an alert, MEDIUM is worth a look, LOW passes."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a risk is what it is: a stable `code`, a sentence, the observed and the account's usual value."""

    code: str
    text: str
    observed: str
    usual: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome for one transaction; raises ValueError where a score is no number of its range.

    `anomaly` is the forest's own score in (0, 1); `risk` combines forest, rules and lists into [0, 1];
    `reasons` are ordered strongest first; `raises_alert` is true for HIGH and for rules that always alert;
    `threshold` is the risk from which on this model says HIGH.
    """

    anomaly: float
    risk: float
    label: RiskLabel
    reasons: tuple[Reason, ...]
    raises_alert: bool
    threshold: float
    model_version: str

    def __post_init__(self) -> None:
        if not (0 <= self.anomaly <= 1 and 0 <= self.risk <= 1):
            raise ValueError(f"anomaly {self.anomaly} or risk {self.risk} is not between 0 and 1")


@dataclass(frozen=True, slots=True)
class ScoredTransaction:
    """A transaction with its decision, its canonical payload (JSON bytes) and when it was received.

    `shadows` is what models on trial would have decided.
    """

    transaction: Transaction
    decision: Decision
    payload: bytes
    content_hash: bytes
    received_at: datetime
    shadows: tuple[Decision, ...] = ()


@dataclass(frozen=True, slots=True)
class RejectedMessage:
    """Something from the queue that cannot be scored: kept with its reason and its (masked) bytes.

    Account and trace are for its log line, where they could be read, and not kept.
    """

    reason: str
    detail: str
    body: bytes
    transaction_id: str | None = None
    account_id: str | None = field(default=None, compare=False)
    trace_id: str | None = field(default=None, compare=False)
