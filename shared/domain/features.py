"""The feature table: what the forest and the rules see of a transaction against its account's past.

Serving and training use this same table. Absent data is absent: a function answers NaN where the account or the
transaction does not say, never zero by accident. Ratios stay linear and the z-score one-sided, because a forest
isolates both ends of a feature and small amounts are no sign of fraud.
"""

from collections.abc import Callable, Sequence
from math import log, log1p, nan

from shared.domain.currencies import major_units
from shared.domain.habit import (
    WEEK_OF_HABIT,
    usual_amount,
    usual_count_a_day,
    usual_mean,
    usual_spend_a_day,
    usual_spend_before_week,
)
from shared.domain.history import History, counted_amount
from shared.domain.price_levels import in_dollars
from shared.domain.signals import Signals
from shared.domain.transaction import Transaction

Feature = Callable[[Transaction, History, Signals], float]

SHORTEST_TRIP_SECONDS = 60
"""Two payments closer in time than this are taken as a minute apart, so that clock skew is no travel."""


def amount(transaction: Transaction, _history: History, _signals: Signals) -> float:
    """The amount in roughly dollars."""
    return in_dollars(float(transaction.amount), transaction.currency)


def amount_24h(transaction: Transaction, history: History, _signals: Signals) -> float:
    """Spent within 24 hours in this currency, this transaction included, in roughly dollars."""
    return in_dollars(major_units(_spent_24h(transaction, history), transaction.currency), transaction.currency)


def amount_zscore(transaction: Transaction, history: History, _signals: Signals) -> float:
    """Standard deviations by which the log amount lies above the account's usual; 0 below it."""
    usual = usual_amount(history)
    if usual is None:
        return nan
    return max(0.0, (log(counted_amount(transaction)) - usual.log_mean) / usual.spread)


def amount_24h_ratio(transaction: Transaction, history: History, _signals: Signals) -> float:
    """Spent within 24 hours, this transaction included, over the usual spend a day."""
    usual = usual_spend_a_day(history)
    return nan if usual is None else _spent_24h(transaction, history) / usual


def mean_amount_24h_ratio(transaction: Transaction, history: History, _signals: Signals) -> float:
    """Mean amount of the last 24 hours, this transaction included, over the usual amount.

    Transactions in other currencies count but add nothing, which only lowers it.
    """
    usual = usual_mean(history)
    if usual is None:
        return nan
    return _spent_24h(transaction, history) / (history.count_24h + 1) / usual


def amount_7d_ratio(transaction: Transaction, history: History, _signals: Signals) -> float:
    """Spend a day of the last week, this transaction included, over that of the three weeks before."""
    usual = usual_spend_before_week(history)
    if usual is None:
        return nan
    return (history.week.total + counted_amount(transaction)) / WEEK_OF_HABIT / usual


def num_tx_24h_ratio(_transaction: Transaction, history: History, _signals: Signals) -> float:
    """Transactions within 24 hours over the usual number a day, one added to both to calm small numbers."""
    usual = usual_count_a_day(history)
    return nan if usual is None else (history.count_24h + 1) / (usual + 1)


def num_tx_last_1h(_transaction: Transaction, history: History, _signals: Signals) -> float:
    """Transactions within the hour before."""
    return float(history.count_1h)


def num_tx_last_5min(_transaction: Transaction, history: History, _signals: Signals) -> float:
    """Transactions within the five minutes before."""
    return float(history.count_5min)


def new_merchant(_transaction: Transaction, history: History, _signals: Signals) -> float:
    """1 where the account has a past and never paid this merchant, else 0."""
    return nan if history.merchants == 0 else float(not history.knows_merchant)


def geo_distance(transaction: Transaction, _history: History, _signals: Signals) -> float:
    """Kilometres from the card holder's home."""
    if transaction.place is None or transaction.home is None:
        return nan
    return transaction.place.distance_km(transaction.home)


def log_speed(transaction: Transaction, history: History, _signals: Signals) -> float:
    """Log of one plus the speed in km/h that it takes to get here from the last transaction's place."""
    return log1p(speed_kmh(transaction, history))


def hour_of_day(transaction: Transaction, _history: History, _signals: Signals) -> float:
    """Hours since midnight UTC."""
    return transaction.occurred_at.hour + transaction.occurred_at.minute / 60


def recent_refusals(_transaction: Transaction, history: History, _signals: Signals) -> float:
    """Posts of this account that the rate limit refused within the last hour: it must not hide card testing."""
    return float(history.recent_refusals)


FEATURES: dict[str, Feature] = {
    each.__name__: each
    for each in (
        amount, amount_24h, amount_zscore, amount_24h_ratio, mean_amount_24h_ratio, amount_7d_ratio,
        num_tx_24h_ratio, num_tx_last_1h, num_tx_last_5min, new_merchant, geo_distance, log_speed, hour_of_day,
        recent_refusals,
    )
}  # fmt: skip
"""Name -> function, in the order of the forest's columns."""

_IN_ORDER = tuple(FEATURES.values())


def feature_row(transaction: Transaction, history: History, signals: Signals) -> tuple[float, ...]:
    """One value per entry of FEATURES, in its order; NaN where absent."""
    return tuple([feature(transaction, history, signals) for feature in _IN_ORDER])


def named(row: Sequence[float]) -> dict[str, float]:
    """A row of `feature_row` by name."""
    return dict(zip(FEATURES, row, strict=True))


def last_distance_km(transaction: Transaction, history: History) -> float:
    """Kilometres from the last transaction's place; NaN where either is unknown."""
    if transaction.place is None or history.last_place is None:
        return nan
    return transaction.place.distance_km(history.last_place)


def speed_kmh(transaction: Transaction, history: History) -> float:
    """Kilometres an hour from the last transaction's place; NaN where either is unknown."""
    if history.last_at is None:
        return nan
    seconds = (transaction.occurred_at - history.last_at).total_seconds()
    return last_distance_km(transaction, history) / max(seconds, SHORTEST_TRIP_SECONDS) * 3600


def _spent_24h(transaction: Transaction, history: History) -> int:
    return history.amount_24h + counted_amount(transaction)
