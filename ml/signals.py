"""Daily signals while a file is replayed: price levels and fraud shares as they were known before each day."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from math import log

from shared.domain.price_levels import in_dollars
from shared.domain.signals import (
    MONTH,
    PRICED,
    WEEK,
    FraudShare,
    LabelCounts,
    PriceLevel,
    Signals,
    fraud_shares,
    price_level,
    usual_share,
)
from shared.domain.transaction import Transaction

Sums = dict[str, list[float]]
"""Key -> how many, and what else is summed over them."""

ByDay = defaultdict[date, Sums]


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
        self._merchants.add(transaction.merchant_id, amount, self._today)
        if transaction.merchant_category is not None:
            self._categories.add(transaction.merchant_category, amount, self._today)

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
            category_prices=self._categories.before(day),
            merchant_prices=self._merchants.before(day),
            merchant_risk=_shares(self._merchant_labels.before(day), usual),
            category_risk=_shares(self._category_labels.before(day), usual),
            usual=usual,
        )


def _shares(labels: Mapping[str, LabelCounts], usual: FraudShare | None) -> Mapping[str, FraudShare]:
    return fraud_shares(labels, usual) if usual is not None else {}


class _Prices:
    """Sums of log amounts by key and day; levels are made anew only for keys whose sums changed."""

    def __init__(self) -> None:
        self._by_day: ByDay = defaultdict(dict)
        self._window = _Window(PRICED)
        self._levels: dict[str, PriceLevel] = {}

    def add(self, key: str, log_amount: float, day: date) -> None:
        sums = self._by_day[day].setdefault(key, [0, 0.0, 0.0])
        sums[0] += 1
        sums[1] += log_amount
        sums[2] += log_amount * log_amount

    def before(self, day: date) -> Mapping[str, PriceLevel]:
        sums = self._window.until(day, self._by_day)
        _forget(self._by_day, day - PRICED)
        for key in self._window.changed:
            if key in sums:
                count, total, squares = sums[key]
                self._levels[key] = price_level(int(count), total, squares)
            else:
                del self._levels[key]
        return self._levels.copy()


class _Labels:
    """Labels by key and by the day on which they became known."""

    def __init__(self) -> None:
        self._by_day: ByDay = defaultdict(dict)
        self._week, self._month = _Window(WEEK), _Window(MONTH)
        self._newest = date.min

    def add(self, key: str, is_fraud: bool, day: date) -> None:
        if day < self._newest:
            raise ValueError(f"a label of {day} comes too late for the snapshot of {self._newest}")
        sums = self._by_day[day].setdefault(key, [0, 0])
        sums[0] += 1
        sums[1] += is_fraud

    def before(self, day: date) -> dict[str, LabelCounts]:
        self._newest = day
        week, month = self._week.until(day, self._by_day), self._month.until(day, self._by_day)
        _forget(self._by_day, day - MONTH)
        return {key: _label_counts(week.get(key, [0, 0]), sums) for key, sums in month.items()}


def _label_counts(week: list[float], month: list[float]) -> LabelCounts:
    return LabelCounts(
        week_frauds=int(week[1]), week_count=int(week[0]), month_frauds=int(month[1]), month_count=int(month[0])
    )


def _forget(by_day: ByDay, before: date) -> None:
    for old in [each for each in by_day if each < before]:
        del by_day[old]


class _Window:
    """Sums over the days [day - width, day), moved forward; a key whose count is 0 is dropped."""

    def __init__(self, width: timedelta) -> None:
        self._width = width
        self._held: set[date] = set()
        self._sums: Sums = {}
        self.changed: set[str] = set()

    def until(self, day: date, by_day: Mapping[date, Sums]) -> Sums:
        wanted = {each for each in by_day if day - self._width <= each < day}
        self.changed.clear()
        for each in self._held - wanted:
            self._count(by_day[each], -1)
        for each in sorted(wanted - self._held):
            self._count(by_day[each], 1)
        self._held = wanted
        return self._sums

    def _count(self, of_day: Sums, sign: int) -> None:
        self.changed.update(of_day)
        for key, counted in of_day.items():
            sums = [a + sign * b for a, b in zip(self._sums.get(key, [0] * len(counted)), counted, strict=True)]
            if sums[0]:
                self._sums[key] = sums
            else:
                del self._sums[key]
