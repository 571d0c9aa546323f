"""An alert and its life cycle: open, acknowledged, closed, and open again."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import NAMESPACE_URL, UUID, uuid5

from shared.domain.decision import Reason, RiskLabel
from shared.domain.errors import LifeCycleViolation


class AlertStatus(StrEnum):
    """Where an alert stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class Action(StrEnum):
    """What an analyst does to an alert."""

    ACKNOWLEDGE = "acknowledge"
    CLOSE = "close"
    REOPEN = "reopen"


class Disposition(StrEnum):
    """What a closed alert turned out to be."""

    FRAUD = "fraud"
    LEGITIMATE = "legitimate"
    INCONCLUSIVE = "inconclusive"


TRANSITIONS: dict[tuple[AlertStatus, Action], AlertStatus] = {
    (AlertStatus.OPEN, Action.ACKNOWLEDGE): AlertStatus.ACKNOWLEDGED,
    (AlertStatus.OPEN, Action.CLOSE): AlertStatus.CLOSED,
    (AlertStatus.ACKNOWLEDGED, Action.CLOSE): AlertStatus.CLOSED,
    (AlertStatus.ACKNOWLEDGED, Action.REOPEN): AlertStatus.OPEN,
    (AlertStatus.CLOSED, Action.REOPEN): AlertStatus.OPEN,
}


def next_status(status: AlertStatus, action: Action) -> AlertStatus:
    """The status after `action`; raises LifeCycleViolation with the actions that are allowed instead."""
    try:
        return TRANSITIONS[status, action]
    except KeyError:
        allowed = ", ".join(each for at, each in TRANSITIONS if at is status)
        raise LifeCycleViolation(
            f"An alert that is {status} cannot be given '{action}'; it allows: {allowed}."
        ) from None


def alert_id_for(transaction_id: str) -> UUID:
    """The alert id of a transaction: UUIDv5 in the URL namespace, so that every redelivery names the same one."""
    return uuid5(NAMESPACE_URL, f"fraudsense:alert:{transaction_id}")


@dataclass(frozen=True, slots=True)
class Alert:
    """A recorded alert as it is announced; `seq` orders alerts in commit order, `risk` >= `threshold` for HIGH."""

    alert_id: UUID
    seq: int
    transaction_id: str
    account_id: str
    merchant_id: str
    amount: Decimal
    currency: str
    risk: float
    risk_label: RiskLabel
    reasons: tuple[Reason, ...]
    threshold: float
    model_version: str
    occurred_at: datetime
    created_at: datetime
    status: AlertStatus = AlertStatus.OPEN

    @property
    def reason(self) -> str:
        """The strongest reason's code."""
        return self.reasons[0].code
