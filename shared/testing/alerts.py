"""The recorded alerts in memory; they can be away."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

from shared.domain.alert import Alert
from shared.domain.errors import DatabaseUnavailable


class MemoryAlerts:
    """Recorded alerts by id; every call raises DatabaseUnavailable while `away` is true."""

    def __init__(self, alerts: Iterable[Alert] = ()) -> None:
        self._alerts: dict[UUID, Alert] = {}
        self._claimed: set[UUID] = set()
        self.announced: dict[UUID, datetime] = {}
        self.away = False
        self.add(*alerts)

    def add(self, *alerts: Alert) -> None:
        """Record alerts."""
        self._alerts |= {alert.alert_id: alert for alert in alerts}

    async def highest_seq(self) -> int:
        """The newest alert's sequence number; 0 where there is none."""
        await self.check()
        return max((alert.seq for alert in self._alerts.values()), default=0)

    async def newer_than(self, seq: int, limit: int) -> list[Alert]:
        """The first `limit` alerts beyond `seq`, in sequence order."""
        await self.check()
        return [alert for alert in self._in_order() if alert.seq > seq][:limit]

    async def newest(self, limit: int) -> list[Alert]:
        """The `limit` newest alerts, in sequence order."""
        await self.check()
        return self._in_order()[-limit:]

    @asynccontextmanager
    async def claim_unannounced(self, older_than: timedelta, limit: int) -> AsyncIterator[list[Alert]]:
        """Alerts recorded longer ago, for this caller only; marked announced where the block ends well."""
        await self.check()
        now = datetime.now(UTC)
        taken = self.announced.keys() | self._claimed
        due = [a for a in self._in_order() if a.alert_id not in taken and a.created_at < now - older_than]
        claimed = due[:limit]
        self._claimed |= {alert.alert_id for alert in claimed}
        try:
            yield claimed
            self.announced |= {alert.alert_id: now for alert in claimed}
        finally:
            self._claimed -= {alert.alert_id for alert in claimed}

    async def check(self) -> None:
        """Return where the alerts can be read; raises DatabaseUnavailable."""
        if self.away:
            raise DatabaseUnavailable

    def _in_order(self) -> list[Alert]:
        return sorted(self._alerts.values(), key=lambda alert: alert.seq)
