"""The account history in plain Python: what Redis must answer, and what training replays."""

from bisect import bisect_left, insort
from datetime import datetime
from typing import NamedTuple

from shared.domain.account_parts import NOTHING, Amounts, FirstSeen, Hours, Key, Totals, plus
from shared.domain.history import (
    WINDOWS,
    AccountPast,
    AmountTotals,
    History,
    clock_hand,
    counted_amount,
    counted_at,
    counted_instant,
    instant,
)
from shared.domain.transaction import Place, Transaction


class AccountHistories:
    """The histories of all accounts, in memory. Exact, deterministic, not safe for threads."""

    def __init__(self) -> None:
        self._accounts: dict[str, AccountHistory] = {}

    def observe(self, transaction: Transaction) -> History:
        """Count the transaction once, however often it comes, and answer with its past; see `History`.

        `recent_refusals` stays None: refusals are the rate limiter's to count.
        """
        account = self._accounts.get(transaction.account_id)
        if account is None:
            account = self._accounts[transaction.account_id] = AccountHistory()
        return account.observe(transaction)


class AccountHistory:
    """One account's history.

    `events` are the kept (time, id) in order; `counted` holds time, currency and place of each by id; `amounts`
    the sums by currency; `merchants` and `categories` when each was first seen. Times as `counted_at`.
    """

    __slots__ = ("amounts", "categories", "counted", "events", "hours", "merchants", "newest")

    def __init__(self) -> None:
        self.events: list[Key] = []
        self.counted: dict[str, tuple[int, str, Place | None]] = {}
        self.amounts: dict[str, Amounts] = {}
        self.hours = Hours()
        self.merchants = FirstSeen(WINDOWS.max_merchants)
        self.categories = FirstSeen(WINDOWS.max_categories)
        self.newest = 0

    @classmethod
    def of(cls, past: AccountPast) -> "AccountHistory":
        """The history that observed this past."""
        account = cls()
        for merchant_id, first in past.first_seen.items():
            account.merchants.see(merchant_id, counted_instant(first))
        for category, first in past.first_categories.items():
            account.categories.see(category, counted_instant(first))
        for transaction in past.transactions:
            account.count(transaction)
        account.trim()
        return account

    def observe(self, transaction: Transaction) -> History:
        """As AccountHistories."""
        if self.count(transaction):
            return self._answer(transaction)
        return self._history(transaction, _NONE_RECENT, NOTHING)

    def count(self, transaction: Transaction) -> bool:
        """Count it unless it was; whether it stands at its place now."""
        self.trim()
        key = counted_at(transaction), transaction.transaction_id
        known = self.counted.get(key[1])
        if known and known[:2] != (key[0], transaction.currency):
            return False
        if not known:
            self._see(transaction, key[0])
        if self._is_older_than_kept(key[0]):
            return False
        if not known:
            self._add(transaction, key)
        return True

    def _see(self, transaction: Transaction, at: int) -> None:
        self.merchants.see(transaction.merchant_id, at)
        if transaction.merchant_category is not None:
            self.categories.see(transaction.merchant_category, at)

    def trim(self) -> None:
        """Forget the single events that are no longer kept."""
        surplus = bisect_left(self.events, (self._floor(),))
        for _, transaction_id in self.events[:surplus]:
            _, currency, _ = self.counted.pop(transaction_id)
            self.amounts[currency].forget_first()
        del self.events[:surplus]

    def _is_older_than_kept(self, at: int) -> bool:
        return at < self._floor() or at // WINDOWS.day <= self._oldest_day()

    def _floor(self) -> int:
        """Single events from this time on are kept; see `Windows`."""
        if len(self.events) < WINDOWS.kept_newest:
            return 0
        return min(self.newest - WINDOWS.kept_raw, self.events[-WINDOWS.kept_newest][0])

    def _oldest_day(self) -> int:
        return self.newest // WINDOWS.day - WINDOWS.kept_days

    def _add(self, transaction: Transaction, key: Key) -> None:
        insort(self.events, key)
        self.counted[key[1]] = (key[0], transaction.currency, transaction.place)
        self.newest = max(self.newest, key[0])
        amounts = self._amounts(transaction)
        amounts.add(key, counted_amount(transaction))
        amounts.forget_days(self._oldest_day())
        self.hours.add(key[0] // WINDOWS.day, clock_hand(transaction))
        self.hours.forget_days(self._oldest_day())

    def _amounts(self, transaction: Transaction) -> Amounts:
        amounts = self.amounts.get(transaction.currency)
        if amounts is None:
            amounts = self.amounts[transaction.currency] = Amounts()
        return amounts

    def _answer(self, transaction: Transaction) -> History:
        at, events = counted_at(transaction), self.events
        key = at, transaction.transaction_id
        rank = bisect_left(events, key)
        last = events[rank - 1] if rank else None
        amount, today = self._amounts(transaction).before(key)
        recent = _Recent(
            count_5min=rank - bisect_left(events, (at - WINDOWS.five_minutes + 1,)),
            count_1h=rank - bisect_left(events, (at - WINDOWS.hour + 1,)),
            count_24h=rank - bisect_left(events, (at - WINDOWS.day + 1,)),
            amount_24h=amount,
            last_at=instant(last[0]) if last else None,
            last_place=self.counted[last[1]][2] if last else None,
        )
        return self._history(transaction, recent, today)

    def _history(self, transaction: Transaction, recent: "_Recent", today: Totals) -> History:
        at, category, oldest = counted_at(transaction), transaction.merchant_category, self._oldest_day()
        day = at // WINDOWS.day
        week, month = self._amounts(transaction).whole_days(day, oldest)
        return History(
            count_5min=recent.count_5min,
            count_1h=recent.count_1h,
            count_24h=recent.count_24h,
            amount_24h=recent.amount_24h,
            week=AmountTotals(*plus(week, today)),
            month=AmountTotals(*plus(month, today)),
            last_at=recent.last_at,
            last_place=recent.last_place,
            knows_merchant=self.merchants.knows(transaction.merchant_id, at),
            merchants=self.merchants.before(at),
            knows_category=category is not None and self.categories.knows(category, at),
            categories=self.categories.before(at),
            hours=self.hours.whole_days(day, oldest),
        )


class _Recent(NamedTuple):
    """The part of a History that single events tell."""

    count_5min: int = 0
    count_1h: int = 0
    count_24h: int = 0
    amount_24h: int = 0
    last_at: datetime | None = None
    last_place: Place | None = None


_NONE_RECENT = _Recent()
