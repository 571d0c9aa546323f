"""The sweeper: announces recorded alerts that the scorer could not announce itself."""

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Protocol

from shared.domain.alert import Alert
from shared.ports import AlertAnnouncer
from shared.telemetry.metrics import SWEPT, count

OLDER_THAN = timedelta(seconds=5)
AT_ONCE = 100
PAUSE_SECONDS = 1.0


class Unannounced(Protocol):
    """Recorded alerts that nobody announced. Raises DatabaseUnavailable."""

    def claim_unannounced(self, older_than: timedelta, limit: int) -> AbstractAsyncContextManager[list[Alert]]:
        """Alerts recorded longer ago, for this caller only; marked announced where the block ends well."""


async def sweep(alerts: Unannounced, announcer: AlertAnnouncer) -> int:
    """Announce up to 100 alerts left over for 5 s; returns how many.

    Raises DatabaseUnavailable or FeedUnavailable; then they stay unannounced and come again.
    """
    async with alerts.claim_unannounced(OLDER_THAN, AT_ONCE) as left_over:
        if left_over:
            await asyncio.to_thread(announcer.announce, left_over)
    count(SWEPT, len(left_over))
    return len(left_over)


async def sweep_all(alerts: Unannounced, announcer: AlertAnnouncer) -> None:
    """Sweep until nothing is left over, then rest for a second."""
    while await sweep(alerts, announcer) == AT_ONCE:
        pass
    await asyncio.sleep(PAUSE_SECONDS)
