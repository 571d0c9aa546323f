"""Account histories for tests: random sequences of deliveries, and the obviously correct answer to them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from shared.domain.history import (
    WINDOWS,
    AmountTotals,
    History,
    HourTotals,
    clock_hand,
    counted_amount,
    counted_at,
    instant,
    log_amount,
)
from shared.domain.transaction import Place, Transaction
from tests.builders import NOON, a_transaction

MICROSECOND, MINUTE, HOUR = timedelta(microseconds=1), timedelta(minutes=1), timedelta(hours=1)
WIDTHS = (timedelta(0), 5 * MINUTE, HOUR, 12 * HOUR, 24 * HOUR, 48 * HOUR)
EDGES = (-MICROSECOND, timedelta(0), MICROSECOND)
LONG_GAPS = tuple(timedelta(days=days) for days in (0, 0, 0, 1, 6, 7, 29, 30, 31, 32, 33, 60))

times = st.builds(
    lambda width, other, edge, gap: NOON + width + other + edge + gap,
    st.sampled_from(WIDTHS),
    st.sampled_from(WIDTHS),
    st.sampled_from(EDGES),
    st.sampled_from(LONG_GAPS),
)
near_times = st.builds(lambda seconds: NOON + timedelta(seconds=seconds), st.integers(0, 200_000))
places = st.none() | st.builds(Place, st.floats(-90, 90), st.floats(-180, 180))


def transactions(at: st.SearchStrategy[datetime]) -> st.SearchStrategy[Transaction]:
    """Transactions of one account; few ids, so that some name the same id with other content."""
    return st.builds(
        a_transaction,
        transaction_id=st.integers(0, 60).map(lambda n: f"t{n}"),
        merchant_id=st.sampled_from(["m1", "m2", "m3", "m4"]),
        amount=st.sampled_from([Decimal("0.01"), Decimal("9.99"), Decimal(250), Decimal("999999999999.9999")]),
        currency=st.sampled_from(["USD", "USD", "USD", "JPY", "KWD"]),
        occurred_at=at,
        merchant_category=st.sampled_from([None, "food", "travel", "Ämter"]),
        place=places,
    )


@st.composite
def deliveries(draw: st.DrawFn) -> list[Transaction]:
    """What a queue may hand over: transactions in any order, some of them again, soon or much later."""
    at = draw(st.sampled_from([times, near_times]))
    sent = draw(st.lists(transactions(at), min_size=1, max_size=40))
    if draw(st.booleans()):
        sent.sort(key=lambda each: each.occurred_at)
    again = draw(st.lists(st.sampled_from(sent), max_size=10))
    return sent + again


@dataclass
class PlainHistory:
    """One account's history by the definitions, without any index: slow and obvious."""

    kept: list[Transaction] = field(default_factory=list)
    all_counted: list[Transaction] = field(default_factory=list)
    all_seen: list[Transaction] = field(default_factory=list)

    def observe(self, transaction: Transaction) -> History:
        """Count it where that is due, and answer."""
        floor, oldest_day = self._floor(), max(map(counted_at, self.all_counted), default=0) // WINDOWS.day - 32
        self.kept = [each for each in self.kept if counted_at(each) >= floor]
        at = counted_at(transaction)
        twin = next((each for each in self.kept if each.transaction_id == transaction.transaction_id), None)
        if twin is None:
            self.all_seen.append(transaction)
        if at < floor or at // WINDOWS.day <= oldest_day or (twin and not _same_position(twin, transaction)):
            return self._answer(transaction, [], [])
        if twin is None:
            self.kept.append(transaction)
            self.all_counted.append(transaction)
        key = (at, transaction.transaction_id)
        before = [each for each in self.kept if (counted_at(each), each.transaction_id) < key]
        not_before = [each for each in self.kept if (counted_at(each), each.transaction_id) >= key]
        today = [
            each
            for each in self.all_counted
            if counted_at(each) // WINDOWS.day == at // WINDOWS.day
            and not any(each is other for other in not_before)
        ]
        return self._answer(transaction, before, today)

    def _floor(self) -> int:
        ordered = sorted(map(counted_at, self.kept))
        return min(ordered[-1] - 2 * WINDOWS.day, ordered[-10]) if len(ordered) >= 10 else 0

    def _answer(self, transaction: Transaction, before: list[Transaction], today: list[Transaction]) -> History:
        at, newest = counted_at(transaction), max(map(counted_at, self.all_counted), default=0)
        day, oldest_day = at // WINDOWS.day, newest // WINDOWS.day - 32
        last = max(before, key=lambda each: (counted_at(each), each.transaction_id), default=None)
        first_seen: dict[str | None, int] = {}
        first_categories: dict[str | None, int] = {}
        for each in self.all_seen:
            for seen, name in (first_seen, each.merchant_id), (first_categories, each.merchant_category):
                seen[name] = min(seen.get(name, 1 << 60), counted_at(each))
        first_categories.pop(None, None)

        def within(width: timedelta) -> list[Transaction]:
            return [each for each in before if counted_at(each) > at - width // MICROSECOND]

        def whole(days: int) -> list[Transaction]:
            first = max(day - days + 1, oldest_day)
            return [each for each in self.all_counted if first <= counted_at(each) // WINDOWS.day < day]

        def totals(days: int) -> AmountTotals:
            own = [counted_amount(e) for e in whole(days) + today if e.currency == transaction.currency]
            logs = [log_amount(amount) for amount in own]
            return AmountTotals(len(own), sum(own), sum(logs), sum(log * log for log in logs))

        hands = [clock_hand(each) for each in whole(30)]
        return History(
            count_5min=len(within(5 * MINUTE)),
            count_1h=len(within(HOUR)),
            count_24h=len(within(24 * HOUR)),
            amount_24h=sum(counted_amount(e) for e in within(24 * HOUR) if e.currency == transaction.currency),
            week=totals(7),
            month=totals(30),
            last_at=instant(counted_at(last)) if last else None,
            last_place=last.place if last else None,
            knows_merchant=first_seen.get(transaction.merchant_id, at) < at,
            merchants=sum(first < at for first in first_seen.values()),
            knows_category=first_categories.get(transaction.merchant_category, at) < at,
            categories=sum(first < at for first in first_categories.values()),
            hours=HourTotals(len(hands), sum(cosine for cosine, _ in hands), sum(sine for _, sine in hands)),
        )


def _same_position(a: Transaction, b: Transaction) -> bool:
    return (counted_at(a), a.currency) == (counted_at(b), b.currency)
