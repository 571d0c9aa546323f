"""What analysts do with alerts: list them, look at one, take it through its life cycle."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Protocol
from uuid import UUID

from functions.alerts.models import AlertDetails, AlertPage, AlertView, Closing, Step, details, view
from functions.alerts.problems import AlertNotFound, InvalidCursor
from shared.domain.alert import Action
from shared.domain.alert_record import AlertFilter, AlertRecord, Cursor, StepTaken

_POSITION = re.compile(rb"before:(\d{1,18})", re.ASCII)


class AlertBook(Protocol):
    """The recorded alerts with their life cycle. Raises DatabaseUnavailable."""

    async def find(self, alert_id: UUID) -> AlertRecord | None:
        """One alert with every step taken."""

    async def page(self, filters: AlertFilter, before: Cursor | None, limit: int) -> list[AlertRecord]:
        """The `limit` newest alerts that pass the filters, older than the cursor, newest first."""

    async def act(self, alert_id: UUID, step: StepTaken) -> AlertRecord | None:
        """The alert after the step, None where it is unknown; raises LifeCycleViolation."""


async def list_alerts(book: AlertBook, filters: AlertFilter, cursor: str | None, limit: int) -> AlertPage:
    """One page, newest first; raises InvalidCursor."""
    found = await book.page(filters, None if cursor is None else decode_cursor(cursor), limit + 1)
    shown = found[:limit]
    items: list[AlertView] = [view(record) for record in shown]
    return AlertPage(items=items, next_cursor=encode_cursor(shown[-1].seq) if len(found) > limit else None)


async def find_alert(book: AlertBook, alert_id: UUID) -> AlertDetails:
    """One alert with its events; raises AlertNotFound."""
    return _found(await book.find(alert_id))


async def take_step(book: AlertBook, alert_id: UUID, action: Action, step: Step, at: datetime) -> AlertDetails:
    """The alert after an analyst's step; raises AlertNotFound, LifeCycleViolation."""
    disposition = step.disposition if isinstance(step, Closing) else None
    return _found(await book.act(alert_id, StepTaken(action, step.by, step.note, disposition, at)))


def _found(record: AlertRecord | None) -> AlertDetails:
    if record is None:
        raise AlertNotFound
    return details(record)


def encode_cursor(seq: int) -> str:
    """The opaque cursor of the page after the alert `seq`."""
    return urlsafe_b64encode(b"before:%d" % seq).decode().rstrip("=")


def decode_cursor(cursor: str) -> Cursor:
    """The place that a cursor names; raises InvalidCursor."""
    try:
        position = _POSITION.fullmatch(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError as error:
        raise InvalidCursor from error
    if position is None:
        raise InvalidCursor
    return Cursor(int(position[1]))
