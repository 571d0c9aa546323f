"""Daily signals while a file is replayed: price levels and fraud shares as they were known before each day."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from math import log

from shared.domain.price_levels import in_dollars
from shared.domain.signals import (
    FraudShare,
    LabelCounts,
    PriceLevel,
    Signals,
    fraud_shares,
    price_level,
    usual_share,
)
from shared.domain.transaction import Transaction

WEEK, MONTH = timedelta(days=7), timedelta(days=30)

Counts = dict[str, list[int]]
"""Key -> frauds and labels."""


class SignalBook:
    """What all accounts together tell, kept up transaction by transaction; transactions come in order of days."""

    def __init__(self) -> None:
        self._merchants, self._categories = _Prices(), _Prices()
        self._merchant_labels, self._category_labels = _Labels(), _Labels()
        self._all_labels = _Labels()
        self._today = date.min

    def add(self, transaction: Transaction) -> None:
        """Count its price; it shows from the next day's snapshot on."""
        self._today = transaction.occurred_at.date()
        amount = log(in_dollars(float(transaction.amount), transaction.currency))
        self._merchants.add(transaction.merchant_id, amount)
        if transaction.merchant_category is not None:
            self._categories.add(transaction.merchant_category, amount)

    def know(self, transaction: Transaction, is_fraud: bool, day: date) -> None:
        """Its label becomes known on this day, and shows from the next day's snapshot on."""
        self._merchant_labels.add(transaction.merchant_id, is_fraud, day)
        self._all_labels.add("", is_fraud, day)
        if transaction.merchant_category is not None:
            self._category_labels.add(transaction.merchant_category, is_fraud, day)

    def snapshot(self, day: date) -> Signals:
        """What was known before this UTC day. Days may not go back, nor behind what was added: ValueError."""
        if day <= self._today:
            raise ValueError(f"a snapshot of {day} cannot leave out what was added of {self._today}")
        usual = usual_share(self._all_labels.before(day).get("", LabelCounts()))
        return Signals(
            version=day.isoformat(),
            category_prices=self._categories.levels(),
            merchant_prices=self._merchants.levels(),
            merchant_risk=_shares(self._merchant_labels.before(day), usual),
            category_risk=_shares(self._category_labels.before(day), usual),
            usual=usual,
        )


def _shares(labels: Mapping[str, LabelCounts], usual: FraudShare | None) -> Mapping[str, FraudShare]:
    return fraud_shares(labels, usual) if usual is not None else {}


class _Prices:
    """Sums of log amounts by key; levels are made anew only for keys that changed since the last snapshot."""

    def __init__(self) -> None:
        self._sums: defaultdict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
        self._levels: dict[str, PriceLevel] = {}
        self._changed: set[str] = set()

    def add(self, key: str, log_amount: float) -> None:
        sums = self._sums[key]
        sums[0] += 1
        sums[1] += log_amount
        sums[2] += log_amount * log_amount
        self._changed.add(key)

    def levels(self) -> Mapping[str, PriceLevel]:
        for key in self._changed:
            count, total, squares = self._sums[key]
            self._levels[key] = price_level(int(count), total, squares)
        self._changed.clear()
        return self._levels.copy()


class _Labels:
    """Labels by key and by the day on which they became known."""

    def __init__(self) -> None:
        self._by_day: defaultdict[date, Counts] = defaultdict(dict)
        self._week, self._month = _Window(WEEK), _Window(MONTH)
        self._newest = date.min

    def add(self, key: str, is_fraud: bool, day: date) -> None:
        if day < self._newest:
            raise ValueError(f"a label of {day} comes too late for the snapshot of {self._newest}")
        counts = self._by_day[day].setdefault(key, [0, 0])
        counts[0] += is_fraud
        counts[1] += 1

    def before(self, day: date) -> dict[str, LabelCounts]:
        self._newest = day
        week, month = self._week.until(day, self._by_day), self._month.until(day, self._by_day)
        for old in [each for each in self._by_day if each < day - MONTH]:
            del self._by_day[old]
        return {key: LabelCounts(*week.get(key, (0, 0)), *counts) for key, counts in month.items()}


class _Window:
    """Sums over the days [day - width, day), moved forward."""

    def __init__(self, width: timedelta) -> None:
        self._width = width
        self._held: set[date] = set()
        self._counts: Counts = {}

    def until(self, day: date, by_day: Mapping[date, Counts]) -> Counts:
        wanted = {each for each in by_day if day - self._width <= each < day}
        for each in self._held - wanted:
            self._count(by_day[each], -1)
        for each in wanted - self._held:
            self._count(by_day[each], 1)
        self._held = wanted
        return self._counts

    def _count(self, of_day: Counts, sign: int) -> None:
        for key, (frauds, labels) in of_day.items():
            sums = self._counts.setdefault(key, [0, 0])
            sums[0] += sign * frauds
            sums[1] += sign * labels
            if not sums[1]:
                del self._counts[key]
