"""Recorded alerts: found, paged, followed in order, and taken through their life cycle."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, Select, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database.alert_rows import event_from, record_from
from shared.database.engine import answering, check_schema, reading, unavailability
from shared.database.labels import settle, take_back
from shared.database.rows import alert_from
from shared.database.tables import alert_events, alerts
from shared.domain.alert import Alert, AlertStatus
from shared.domain.alert_record import (
    AlertEvent,
    AlertFilter,
    AlertRecord,
    Cursor,
    StepTaken,
    changes,
    event_of,
)
from shared.domain.labels import label_of


class AlertRecords:
    """The recorded alerts. Each method raises DatabaseUnavailable."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @answering
    async def find(self, alert_id: UUID) -> AlertRecord | None:
        """One alert with every step taken."""
        async with reading(self._engine).connect() as connection:
            found = await _records(connection, select(alerts).where(alerts.c.id == alert_id))
        return found[0] if found else None

    @answering
    async def page(self, filters: AlertFilter, before: Cursor | None, limit: int) -> list[AlertRecord]:
        """The `limit` newest alerts that pass the filters, older than the cursor, newest first."""
        query = select(alerts).where(*_conditions(filters)).order_by(alerts.c.seq.desc()).limit(limit)
        if before is not None:
            query = query.where(alerts.c.seq < before.seq)
        async with reading(self._engine).connect() as connection:
            return await _records(connection, query)

    @answering
    async def act(self, alert_id: UUID, step: StepTaken) -> AlertRecord | None:
        """Take a step and write it down; the alert after it, or None where there is none with this id.

        Closing an alert labels its transaction; reopening takes that label back. Raises LifeCycleViolation where
        the alert's status does not allow the step.
        """
        chosen = select(alerts).where(alerts.c.id == alert_id)
        async with self._engine.begin() as connection:
            present = (await connection.execute(chosen.with_for_update())).mappings().one_or_none()
            if present is None:
                return None
            event = event_of(step, AlertStatus(present["status"]))
            await _write_down(connection, alert_id, event)
            await _label(connection, present, event)
            return (await _records(connection, chosen))[0]

    async def newer_than(self, seq: int, limit: int) -> list[Alert]:
        """The first `limit` alerts beyond `seq`, in sequence order."""
        return await self._alerts(select(alerts).where(alerts.c.seq > seq).order_by(alerts.c.seq).limit(limit))

    async def newest(self, limit: int) -> list[Alert]:
        """The `limit` newest alerts, in sequence order."""
        return (await self._alerts(select(alerts).order_by(alerts.c.seq.desc()).limit(limit)))[::-1]

    @answering
    async def highest_seq(self) -> int:
        """The newest alert's sequence number; 0 where there is none."""
        async with reading(self._engine).connect() as connection:
            return await connection.scalar(select(func.max(alerts.c.seq))) or 0

    @asynccontextmanager
    async def claim_unannounced(self, older_than: timedelta, limit: int) -> AsyncIterator[list[Alert]]:
        """Alerts recorded longer ago than `older_than`, locked for this caller; another one gets others.

        They are marked announced where the block ends well, and stay unannounced where it raises.
        """
        left_over = alerts.c.announced_at.is_(None) & (alerts.c.created_at < func.now() - older_than)
        query = select(alerts).where(left_over).order_by(alerts.c.seq).limit(limit)
        with unavailability():
            async with self._engine.begin() as connection:
                rows = await connection.execute(query.with_for_update(skip_locked=True))
                claimed = [alert_from(row) for row in rows.mappings()]
                yield claimed
                ids = [alert.alert_id for alert in claimed]
                await connection.execute(
                    update(alerts).where(alerts.c.id.in_(ids)).values(announced_at=func.clock_timestamp())
                )

    @answering
    async def check(self) -> None:
        """Return where the database answers and is migrated."""
        await check_schema(self._engine)

    @answering
    async def _alerts(self, query: Select[Any]) -> list[Alert]:
        async with reading(self._engine).connect() as connection:
            return [alert_from(row) for row in (await connection.execute(query)).mappings()]


def _conditions(filters: AlertFilter) -> list[ColumnElement[bool]]:
    given = {
        alerts.c.status.__eq__: filters.status,
        alerts.c.risk_label.__eq__: filters.risk_label,
        alerts.c.account_id.__eq__: filters.account_id,
        alerts.c.merchant_id.__eq__: filters.merchant_id,
        alerts.c.risk.__ge__: filters.min_risk,
        alerts.c.created_at.__ge__: filters.since,
        alerts.c.created_at.__lt__: filters.until,
    }
    return [holds(value) for holds, value in given.items() if value is not None]


async def _write_down(connection: AsyncConnection, alert_id: UUID, event: AlertEvent) -> None:
    await connection.execute(update(alerts).where(alerts.c.id == alert_id).values(changes(event)))
    await connection.execute(insert(alert_events).values(alert_id=alert_id, **asdict(event)))


async def _label(connection: AsyncConnection, before: RowMapping, event: AlertEvent) -> None:
    if label := label_of(before["transaction_id"], event):
        await settle(connection, [label])
    elif before["closed_at"] is not None:
        await take_back(connection, before["transaction_id"], before["closed_at"])


async def _records(connection: AsyncConnection, query: Select[Any]) -> list[AlertRecord]:
    """The alerts that a query finds, each with its events, which one more query fetches."""
    rows = (await connection.execute(query)).mappings().all()
    events = await _events(connection, rows)
    return [record_from(row, [event_from(e) for e in events if e["alert_id"] == row["id"]]) for row in rows]


async def _events(connection: AsyncConnection, rows: Sequence[RowMapping]) -> Sequence[RowMapping]:
    query = select(alert_events).where(alert_events.c.alert_id.in_([row["id"] for row in rows]))
    return (await connection.execute(query.order_by(alert_events.c.id))).mappings().all() if rows else []
