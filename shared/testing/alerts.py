"""The recorded alerts in memory; they can be away."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from shared.domain.alert import Alert
from shared.domain.alert_record import AlertFilter, AlertRecord, Cursor, StepTaken, changes, event_of
from shared.domain.errors import DatabaseUnavailable
from shared.domain.labels import label_of
from shared.testing.labels import MemoryLabels


class MemoryAlerts:
    """Recorded alerts by id; every call raises DatabaseUnavailable while `away` is true.

    `labels` keeps what closing them says of their transactions.
    """

    def __init__(self, alerts: Iterable[Alert] = ()) -> None:
        self.labels = MemoryLabels()
        self._alerts: dict[UUID, AlertRecord] = {}
        self._claimed: set[UUID] = set()
        self.away = False
        self.add(*alerts)

    def add(self, *alerts: Alert) -> None:
        """Record alerts."""
        self._alerts |= {alert.alert_id: _record(alert) for alert in alerts}

    async def find(self, alert_id: UUID) -> AlertRecord | None:
        """One alert with every step taken."""
        await self.check()
        return self._alerts.get(alert_id)

    async def page(self, filters: AlertFilter, before: Cursor | None, limit: int) -> list[AlertRecord]:
        """The `limit` newest alerts that pass the filters, older than the cursor, newest first."""
        await self.check()
        older = [alert for alert in self._in_order() if before is None or alert.seq < before.seq]
        return [alert for alert in reversed(older) if _passes(alert, filters)][:limit]

    async def act(self, alert_id: UUID, step: StepTaken) -> AlertRecord | None:
        """The alert after a step, or None where there is none with this id; raises LifeCycleViolation."""
        await self.check()
        present = self._alerts.get(alert_id)
        if present is None:
            return None
        event = event_of(step, present.status)
        self._alerts[alert_id] = replace(present, **changes(event), events=(*present.events, event))
        if label := label_of(present.transaction_id, event):
            await self.labels.add([label])
        elif present.closed_at is not None:
            self.labels.take_back(present.transaction_id, present.closed_at)
        return self._alerts[alert_id]

    async def highest_seq(self) -> int:
        """The newest alert's sequence number; 0 where there is none."""
        await self.check()
        return max((alert.seq for alert in self._alerts.values()), default=0)

    async def newer_than(self, seq: int, limit: int) -> list[Alert]:
        """The first `limit` alerts beyond `seq`, in sequence order."""
        await self.check()
        newer: list[Alert] = [alert for alert in self._in_order() if alert.seq > seq]
        return newer[:limit]

    async def newest(self, limit: int) -> list[Alert]:
        """The `limit` newest alerts, in sequence order."""
        await self.check()
        return [*self._in_order()[-limit:]]

    @asynccontextmanager
    async def claim_unannounced(self, older_than: timedelta, limit: int) -> AsyncIterator[list[Alert]]:
        """Alerts recorded longer ago, for this caller only; marked announced where the block ends well."""
        await self.check()
        now = datetime.now(UTC)
        left_over = [a for a in self._in_order() if a.announced_at is None and a.created_at < now - older_than]
        chosen = [alert for alert in left_over if alert.alert_id not in self._claimed][:limit]
        ids = {alert.alert_id for alert in chosen}
        self._claimed |= ids
        try:
            yield [*chosen]
            self._alerts |= {alert.alert_id: replace(alert, announced_at=now) for alert in chosen}
        finally:
            self._claimed -= ids

    async def check(self) -> None:
        """Return where the alerts can be read; raises DatabaseUnavailable."""
        if self.away:
            raise DatabaseUnavailable

    def _in_order(self) -> list[AlertRecord]:
        return sorted(self._alerts.values(), key=lambda alert: alert.seq)


def _record(alert: Alert) -> AlertRecord:
    if isinstance(alert, AlertRecord):
        return alert
    return AlertRecord(**{field.name: getattr(alert, field.name) for field in fields(alert)})


def _passes(alert: AlertRecord, filters: AlertFilter) -> bool:
    exact = ("status", "risk_label", "account_id", "merchant_id")
    wanted = {name: getattr(filters, name) for name in exact}
    return (
        all(value is None or getattr(alert, name) == value for name, value in wanted.items())
        and (filters.min_risk is None or alert.risk >= filters.min_risk)
        and (filters.since is None or alert.created_at >= filters.since)
        and (filters.until is None or alert.created_at < filters.until)
    )
