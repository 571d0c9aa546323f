"""The feature table: what forest, rules and combiners see of a transaction against its account's past.

Serving and training use this same table. Absent data is absent: a function answers NaN where the account, the
transaction or the signals do not say, never zero by accident. Ratios stay linear and the z-score against the
account one-sided, because a forest isolates both ends of a feature and small amounts are no sign of fraud. Against
a price level both sides are kept: what costs too little there is odd as well.
"""

from collections.abc import Callable, Sequence
from math import log, log1p, nan, sqrt

from shared.domain.currencies import major_units
from shared.domain.habit import (
    PRIOR_SPREAD,
    PRIOR_WEIGHT,
    WEEK_OF_HABIT,
    unusual_hour,
    usual_amount,
    usual_count_a_day,
    usual_mean,
    usual_spend_a_day,
    usual_spend_before_week,
)
from shared.domain.history import History, counted_amount
from shared.domain.price_levels import in_dollars
from shared.domain.signals import PriceLevel, Signals
from shared.domain.transaction import Transaction

Feature = Callable[[Transaction, History, Signals], float]

SHORTEST_TRIP_SECONDS = 60
"""Two payments closer in time than this are taken as a minute apart, so that clock skew is no travel."""

FEWEST_PRICES = 10
"""Amounts in a category or at a merchant from which on they have a price level."""


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


def amount_ratio(transaction: Transaction, history: History, _signals: Signals) -> float:
    """The amount over the account's usual mean amount."""
    usual = usual_mean(history)
    return nan if usual is None else counted_amount(transaction) / usual


def category_amount_zscore(transaction: Transaction, _history: History, signals: Signals) -> float:
    """Standard deviations by which the log amount lies above the price level of the category."""
    return _zscore(transaction, signals.category_prices.get(transaction.merchant_category or ""))


def merchant_amount_zscore(transaction: Transaction, _history: History, signals: Signals) -> float:
    """Standard deviations by which the log amount lies above the price level of the merchant."""
    return _zscore(transaction, signals.merchant_prices.get(transaction.merchant_id))


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


def num_tx_last_24h(_transaction: Transaction, history: History, _signals: Signals) -> float:
    """Transactions within the 24 hours before."""
    return float(history.count_24h)


def num_tx_last_1h(_transaction: Transaction, history: History, _signals: Signals) -> float:
    """Transactions within the hour before."""
    return float(history.count_1h)


def num_tx_last_5min(_transaction: Transaction, history: History, _signals: Signals) -> float:
    """Transactions within the five minutes before."""
    return float(history.count_5min)


def log_seconds_since_last(transaction: Transaction, history: History, _signals: Signals) -> float:
    """Log of one plus the seconds since the account's last transaction, in any currency."""
    if history.last_at is None:
        return nan
    # What claims to be older than 1970 counts as of 1970, so the last one may be ahead of it.
    return log1p(max(0.0, (transaction.occurred_at - history.last_at).total_seconds()))


def new_merchant(_transaction: Transaction, history: History, _signals: Signals) -> float:
    """1 where the account has a past and never paid this merchant, else 0."""
    return nan if history.merchants == 0 else float(not history.knows_merchant)


def new_category(transaction: Transaction, history: History, _signals: Signals) -> float:
    """1 where the account has paid in other merchant categories and never in this one, else 0."""
    if transaction.merchant_category is None or history.categories == 0:
        return nan
    return float(not history.knows_category)


def merchant_risk_7d(transaction: Transaction, _history: History, signals: Signals) -> float:
    """The share of fraud at this merchant by the labels of the last 7 days; the usual share where it has none."""
    share = signals.merchant_risk.get(transaction.merchant_id, signals.usual)
    return nan if share is None else share.week


def merchant_risk_score(transaction: Transaction, _history: History, signals: Signals) -> float:
    """As `merchant_risk_7d`, of 30 days."""
    share = signals.merchant_risk.get(transaction.merchant_id, signals.usual)
    return nan if share is None else share.month


def category_risk_score(transaction: Transaction, _history: History, signals: Signals) -> float:
    """As `merchant_risk_score`, of the transaction's category."""
    if transaction.merchant_category is None:
        return nan
    share = signals.category_risk.get(transaction.merchant_category, signals.usual)
    return nan if share is None else share.month


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


def hour_habit(transaction: Transaction, history: History, _signals: Signals) -> float:
    """How far the hour is from the account's usual ones: 0 its only hour, 1 no habit, 2 the opposite hour."""
    unusual = unusual_hour(transaction, history)
    return nan if unusual is None else unusual


def recent_refusals(_transaction: Transaction, history: History, _signals: Signals) -> float:
    """Posts of this account that the rate limit refused within the last hour: it must not hide card testing."""
    return nan if history.recent_refusals is None else float(history.recent_refusals)


FEATURES: dict[str, Feature] = {
    each.__name__: each
    for each in (
        amount, amount_24h, amount_zscore, amount_ratio, category_amount_zscore, merchant_amount_zscore,
        amount_24h_ratio, mean_amount_24h_ratio, amount_7d_ratio, num_tx_24h_ratio, num_tx_last_24h,
        num_tx_last_1h, num_tx_last_5min, log_seconds_since_last, new_merchant, new_category, merchant_risk_7d,
        merchant_risk_score, category_risk_score, geo_distance, log_speed, hour_of_day, hour_habit,
        recent_refusals,
    )
}  # fmt: skip
"""Name -> function, in the order of the columns that combiners see."""

FOREST_FEATURES: tuple[str, ...] = (
    "amount", "amount_24h", "amount_zscore", "category_amount_zscore", "merchant_amount_zscore",
    "amount_24h_ratio", "mean_amount_24h_ratio", "amount_7d_ratio", "num_tx_24h_ratio", "num_tx_last_1h",
    "num_tx_last_5min", "new_merchant", "new_category", "geo_distance", "log_speed", "hour_of_day", "hour_habit",
    "recent_refusals",
)  # fmt: skip
"""The features that the forest is grown on: what more columns say is drowned by the noise that they add."""

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


def _zscore(transaction: Transaction, level: PriceLevel | None) -> float:
    if level is None or level.count < FEWEST_PRICES:
        return nan
    variance = level.count * level.log_spread**2 + PRIOR_WEIGHT * PRIOR_SPREAD**2
    above = log(in_dollars(float(transaction.amount), transaction.currency)) - level.log_mean
    return above / sqrt(variance / (level.count + PRIOR_WEIGHT))
