"""The account history in plain Python: what Redis must answer, and what training replays."""

from bisect import bisect_left, insort

from shared.domain.history import (
    WINDOWS,
    AccountPast,
    AmountTotals,
    History,
    counted_amount,
    counted_at,
    counted_instant,
    instant,
    log_amount,
)
from shared.domain.transaction import Place, Transaction

Key = tuple[int, str]
Totals = tuple[int, int, int, int]

_NOTHING: Totals = (0, 0, 0, 0)


class AccountHistories:
    """The histories of all accounts, in memory. Exact, deterministic, not safe for threads."""

    def __init__(self) -> None:
        self._accounts: dict[str, AccountHistory] = {}

    def observe(self, transaction: Transaction) -> History:
        """Count the transaction once, however often it comes, and answer with its past; see `History`.

        `recent_refusals` is always 0: refusals are the rate limiter's to count.
        """
        account = self._accounts.get(transaction.account_id)
        if account is None:
            account = self._accounts[transaction.account_id] = AccountHistory()
        return account.observe(transaction)


class AccountHistory:
    """One account's history.

    `events` are the kept (time, id) in order; `counted` holds time, currency and place of each by id; `amounts`
    the sums by currency; `merchants` when each was first seen. Times as `counted_at`.
    """

    __slots__ = ("amounts", "counted", "events", "merchants", "newest")

    def __init__(self) -> None:
        self.events: list[Key] = []
        self.counted: dict[str, tuple[int, str, Place | None]] = {}
        self.amounts: dict[str, Amounts] = {}
        self.merchants = Merchants()
        self.newest = 0

    @classmethod
    def of(cls, past: AccountPast) -> "AccountHistory":
        """The history that observed this past."""
        account = cls()
        for merchant_id, first in past.first_seen.items():
            account.merchants.see(merchant_id, counted_instant(first))
        for transaction in past.transactions:
            account.count(transaction)
        account.trim()
        return account

    def observe(self, transaction: Transaction) -> History:
        """As AccountHistories."""
        if self.count(transaction):
            return self._answer(transaction)
        return self._whole_days_only(transaction)

    def count(self, transaction: Transaction) -> bool:
        """Count it unless it was; whether it stands at its place now."""
        self.trim()
        key = counted_at(transaction), transaction.transaction_id
        known = self.counted.get(key[1])
        if known and known[:2] != (key[0], transaction.currency):
            return False
        if not known:
            self.merchants.see(transaction.merchant_id, key[0])
        if self._is_older_than_kept(key[0]):
            return False
        if not known:
            self._add(transaction, key)
        return True

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

    def _amounts(self, transaction: Transaction) -> "Amounts":
        amounts = self.amounts.get(transaction.currency)
        if amounts is None:
            amounts = self.amounts[transaction.currency] = Amounts()
        return amounts

    def _answer(self, transaction: Transaction) -> History:
        at, events, amounts = counted_at(transaction), self.events, self._amounts(transaction)
        key = at, transaction.transaction_id
        rank = bisect_left(events, key)
        last = events[rank - 1] if rank else None
        amount, today = amounts.before(key)
        week, month = amounts.whole_days(at // WINDOWS.day, self._oldest_day())
        return History(
            count_5min=rank - bisect_left(events, (at - WINDOWS.five_minutes + 1,)),
            count_1h=rank - bisect_left(events, (at - WINDOWS.hour + 1,)),
            count_24h=rank - bisect_left(events, (at - WINDOWS.day + 1,)),
            amount_24h=amount,
            week=AmountTotals(*_plus(week, today)),
            month=AmountTotals(*_plus(month, today)),
            last_at=instant(last[0]) if last else None,
            last_place=self.counted[last[1]][2] if last else None,
            knows_merchant=self.merchants.knows(transaction.merchant_id, at),
            merchants=self.merchants.seen_before(at),
        )

    def _whole_days_only(self, transaction: Transaction) -> History:
        at = counted_at(transaction)
        week, month = self._amounts(transaction).whole_days(at // WINDOWS.day, self._oldest_day())
        return History(
            week=AmountTotals(*week),
            month=AmountTotals(*month),
            knows_merchant=self.merchants.knows(transaction.merchant_id, at),
            merchants=self.merchants.seen_before(at),
        )


class Amounts:
    """One account's amounts in one currency: totals per UTC day, and of each single event the day so far."""

    __slots__ = ("days", "keys", "so_far")

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self.so_far: list[Totals] = []
        self.days: dict[int, Totals] = {}

    def add(self, key: Key, amount: int) -> None:
        """Add an event's amount in minor units; every later event of its day has it before it."""
        log = log_amount(amount)
        own, day = (1, amount, log, log * log), key[0] // WINDOWS.day
        rank, end = bisect_left(self.keys, key), bisect_left(self.keys, ((day + 1) * WINDOWS.day,))
        whole = self.days.get(day, _NOTHING)
        so_far = self.so_far[rank] if rank < end else whole
        for later in range(rank, end):
            self.so_far[later] = _plus(self.so_far[later], own)
        self.keys.insert(rank, key)
        self.so_far.insert(rank, so_far)
        self.days[day] = _plus(whole, own)

    def before(self, key: Key) -> tuple[int, Totals]:
        """The amount of the 24 hours before `key`, and the totals of its UTC day up to it."""
        today = self.so_far[bisect_left(self.keys, key)]
        first = bisect_left(self.keys, (key[0] - WINDOWS.day + 1,))
        begun = self.keys[first][0] // WINDOWS.day
        yesterday = self.days[begun][1] if begun < key[0] // WINDOWS.day else 0
        return today[1] + yesterday - self.so_far[first][1], today

    def whole_days(self, day: int, oldest: int) -> tuple[Totals, Totals]:
        """Totals of the days before `day` that week and month cover, none before `oldest`."""
        week = month = _NOTHING
        for each in range(max(day - WINDOWS.month_days + 1, oldest), day):
            totals = self.days.get(each)
            if totals:
                month = _plus(month, totals)
                if each > day - WINDOWS.week_days:
                    week = _plus(week, totals)
        return week, month

    def forget_days(self, oldest: int) -> None:
        """Drop totals of days before `oldest`, now and then."""
        if len(self.days) > 2 * WINDOWS.kept_days:
            self.days = {day: totals for day, totals in self.days.items() if day >= oldest}

    def forget_first(self) -> None:
        """Drop the oldest single event; its day's totals stay."""
        del self.keys[0], self.so_far[0]


class Merchants:
    """When each merchant was first seen, for a bounded number of them."""

    __slots__ = ("first", "ordered")

    def __init__(self) -> None:
        self.first: dict[str, int] = {}
        self.ordered: list[int] = []

    def see(self, merchant_id: str, at: int) -> None:
        """Note that the account was at this merchant then."""
        known = self.first.get(merchant_id)
        if known is None:
            if len(self.ordered) >= WINDOWS.max_merchants:
                return
        elif known <= at:
            return
        else:
            del self.ordered[bisect_left(self.ordered, known)]
        self.first[merchant_id] = at
        insort(self.ordered, at)

    def knows(self, merchant_id: str, at: int) -> bool:
        """Whether it was seen before `at`."""
        return self.first.get(merchant_id, at) < at

    def seen_before(self, at: int) -> int:
        """How many merchants were seen before `at`."""
        return bisect_left(self.ordered, at)


def _plus(a: Totals, b: Totals) -> Totals:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]
