"""The rate limit in memory."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from shared.ports import Admission


class MemoryRateLimit:
    """At most `per_minute` per account in any window, 0 = off; implements ports.RateLimit. `refusals` counts."""

    def __init__(
        self,
        per_minute: int,
        *,
        window: timedelta = timedelta(minutes=1),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.refusals: Counter[str] = Counter()
        self._limit = per_minute
        self._window = window
        self._clock = clock
        self._admitted: defaultdict[str, deque[datetime]] = defaultdict(deque)

    async def admit(self, account_ids: Sequence[str]) -> list[Admission]:
        """Take one place for each account id in order."""
        return [self._admit(account_id) for account_id in account_ids]

    async def give_back(self, account_ids: Sequence[str]) -> None:
        """Free the newest place of each account id again."""
        for account_id in account_ids:
            if newest := self._admitted[account_id]:
                newest.pop()

    def _admit(self, account_id: str) -> Admission:
        now, newest = self._clock(), self._admitted[account_id]
        while newest and newest[0] + self._window <= now:
            newest.popleft()
        if self._limit and len(newest) >= self._limit:
            self.refusals[account_id] += 1
            return Admission(admitted=False, retry_after=newest[0] + self._window - now)
        newest.append(now)
        return Admission(admitted=True)
