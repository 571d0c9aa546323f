"""An alert as it is kept: with where it stands, how it came there, and what one can filter by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.database.rows import alert_fields
from shared.domain.alert import Action, Alert, AlertStatus, Disposition
from shared.domain.decision import RiskLabel


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


def step(
    action: Action,
    status: AlertStatus,
    *,
    by: str,
    note: str | None,
    disposition: Disposition | None,
    at: datetime,
) -> AlertEvent:
    """The event of a step to `status`; only closing has a disposition, and it must have one (else ValueError)."""
    if action is not Action.CLOSE:
        return AlertEvent(action, status, by, note, None, at)
    if disposition is None:
        raise ValueError("Closing an alert needs its disposition: fraud, legitimate or inconclusive.")
    return AlertEvent(action, status, by, note, disposition, at)


def changes(event: AlertEvent) -> dict[str, Any]:
    """What a step changes in the alert's row; a reopened alert starts anew, its events tell the rest."""
    times: dict[Action, dict[str, datetime | None]] = {
        Action.ACKNOWLEDGE: {"acknowledged_at": event.at},
        Action.CLOSE: {"closed_at": event.at},
        Action.REOPEN: {"acknowledged_at": None, "closed_at": None},
    }
    return {"status": event.status, "disposition": event.disposition, **times[event.action]}


def record_from(row: Mapping[Any, Any], events: Sequence[AlertEvent]) -> AlertRecord:
    """A record from a row of `alerts` and its events."""
    return AlertRecord(
        **alert_fields(row),
        announced_at=row["announced_at"],
        acknowledged_at=row["acknowledged_at"],
        closed_at=row["closed_at"],
        disposition=_disposition(row),
        events=tuple(events),
    )


def event_from(row: Mapping[Any, Any]) -> AlertEvent:
    """An event from a row of `alert_events`."""
    return AlertEvent(
        action=Action(row["action"]),
        status=AlertStatus(row["status"]),
        by=row["by"],
        note=row["note"],
        disposition=_disposition(row),
        at=row["at"],
    )


def _disposition(row: Mapping[Any, Any]) -> Disposition | None:
    return None if row["disposition"] is None else Disposition(row["disposition"])
