"""Alerts with their life cycle from rows of `alerts` and `alert_events`."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.database.rows import alert_fields
from shared.domain.alert import Action, AlertStatus, Disposition
from shared.domain.alert_record import AlertEvent, AlertRecord


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
