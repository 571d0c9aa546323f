"""An alert as it is kept: with where it stands, how it came there, and what one can filter by."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.domain.alert import Action, Alert, AlertStatus, Disposition, next_status
from shared.domain.decision import RiskLabel


@dataclass(frozen=True, slots=True)
class StepTaken:
    """What an analyst did to an alert; closing, and only that, says what it turned out to be (else ValueError)."""

    action: Action
    by: str
    note: str | None
    disposition: Disposition | None
    at: datetime

    def __post_init__(self) -> None:
        if (self.action is Action.CLOSE) != (self.disposition is not None):
            raise ValueError("Closing an alert, and only that, needs a disposition.")


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One step of an alert's life cycle: `status` is the one after it."""

    action: Action
    status: AlertStatus
    by: str
    note: str | None
    disposition: Disposition | None
    at: datetime


@dataclass(frozen=True, slots=True)
class AlertRecord(Alert):
    """An alert with where it stands now, and every step taken, oldest first."""

    announced_at: datetime | None = None
    acknowledged_at: datetime | None = None
    closed_at: datetime | None = None
    disposition: Disposition | None = None
    events: tuple[AlertEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """What is asked for; None asks for nothing. `since` <= created_at < `until`; `min_risk` is inclusive."""

    status: AlertStatus | None = None
    risk_label: RiskLabel | None = None
    account_id: str | None = None
    merchant_id: str | None = None
    min_risk: float | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place after an alert in a list that shows the newest first."""

    seq: int


def event_of(step: StepTaken, present: AlertStatus) -> AlertEvent:
    """The event of a step from status `present`; raises LifeCycleViolation."""
    status = next_status(present, step.action)
    return AlertEvent(step.action, status, step.by, step.note, step.disposition, step.at)


def changes(event: AlertEvent) -> dict[str, Any]:
    """The fields of AlertRecord that a step changes; a reopened alert starts anew, its events tell the rest."""
    times: dict[Action, dict[str, datetime | None]] = {
        Action.ACKNOWLEDGE: {"acknowledged_at": event.at},
        Action.CLOSE: {"closed_at": event.at},
        Action.REOPEN: {"acknowledged_at": None, "closed_at": None},
    }
    return {"status": event.status, "disposition": event.disposition, **times[event.action]}
