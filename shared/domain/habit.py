"""What is usual for an account in the transaction's currency; None where too little is known."""

from dataclasses import dataclass
from math import exp, sqrt

from shared.domain.history import CLOCK_SCALE, WINDOWS, AmountTotals, History, clock_hand
from shared.domain.transaction import Transaction

FEWEST = 3
"""Transactions of the last month from which on an account has a habit."""

FEWEST_BEFORE_WEEK = 5
"""Transactions before the last week from which on that week can be compared with them."""

FEWEST_HOURS = 5
"""Transactions of the month's whole days from which on an account has usual hours."""

PRIOR_WEIGHT = 4
PRIOR_SPREAD = 1.0
"""A short history is taken as if it held four more amounts with this spread (standard deviation of the log)."""

MONTH_OF_HABIT = WINDOWS.month_days - 0.5
WEEK_OF_HABIT = WINDOWS.week_days - 0.5
"""Days that the windows cover on average: the transaction's own day counts half."""


@dataclass(frozen=True, slots=True)
class UsualAmount:
    """Amounts of the last month: mean and standard deviation in minor units, mean and spread of the log amount.

    `deviation` follows from the log's spread, as for log-normal amounts; `spread` is drawn towards PRIOR_SPREAD.
    """

    mean: float
    deviation: float
    log_mean: float
    spread: float


def usual_mean(history: History) -> float | None:
    """The mean of the account's usual amount alone, in minor units."""
    month = history.month
    return None if month.count < FEWEST else month.total / month.count


def usual_amount(history: History) -> UsualAmount | None:
    """The account's usual amount."""
    mean, month = usual_mean(history), history.month
    if mean is None:
        return None
    log_mean = month.log_total / month.count / 1000
    variance = _log_variance(month)
    drawn = (month.count * variance + PRIOR_WEIGHT * PRIOR_SPREAD**2) / (month.count + PRIOR_WEIGHT)
    return UsualAmount(mean, mean * sqrt(exp(min(variance, 50)) - 1), log_mean, sqrt(drawn))


def usual_spend_a_day(history: History) -> float | None:
    """Minor units a day, at least one usual purchase: else every rarely used card would seem to overspend."""
    days, month = _days_of_habit(history), history.month
    return None if days is None else max(month.total / days, month.total / month.count)


def usual_spend_before_week(history: History) -> float | None:
    """Minor units a day over the three weeks before the last week, at least one usual purchase of then."""
    count = history.month.count - history.week.count
    if count < FEWEST_BEFORE_WEEK:
        return None
    total = history.month.total - history.week.total
    return max(total / (WINDOWS.month_days - WINDOWS.week_days), total / count)


def usual_count_a_day(history: History) -> float | None:
    """Transactions a day in this currency."""
    days = _days_of_habit(history)
    return None if days is None else history.month.count / days


def unusual_hour(transaction: Transaction, history: History) -> float | None:
    """Mean of `1 - cos` of the angle on a clock of 24 hours between this hour and each of the month; in [0, 2].

    A short history is drawn towards 1, as of somebody without habits.
    """
    hours = history.hours
    if hours.count < FEWEST_HOURS:
        return None
    cosine, sine = clock_hand(transaction)
    closeness = (cosine * hours.cosines + sine * hours.sines) / CLOCK_SCALE**2
    return 1 - closeness / (hours.count + PRIOR_WEIGHT)


def _days_of_habit(history: History) -> float | None:
    """Days over which the month's totals came about; a day alone is no habit.

    The account's age is not known. Where there is next to nothing before the last week, it is taken as a week old.
    """
    month = history.month
    if month.count - history.week.count >= FEWEST_BEFORE_WEEK:
        return MONTH_OF_HABIT
    return WEEK_OF_HABIT if month.count - history.count_24h >= FEWEST else None


def _log_variance(month: AmountTotals) -> float:
    """Variance of the natural log amount (the sums hold thousandths)."""
    # Integers until the end: the difference of two large floats would lose the variance of equal amounts.
    return max(0, month.count * month.log_squares - month.log_total**2) / (1000 * month.count) ** 2
