"""What all accounts together tell about merchants and categories: price levels, and the fraud known there.

A snapshot of the days before: never a live counter, so that serving and training see the same numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from math import sqrt

PRICED = timedelta(days=90)
"""Price levels are those of the transactions that happened so long before the day."""

WEEK, MONTH = timedelta(days=7), timedelta(days=30)
"""Shares of fraud are those by the labels that became known so long before the day."""

SMOOTHING = 10
"""A share of fraud is taken as if so many transactions more had been seen, fraudulent at the usual share."""


@dataclass(frozen=True, slots=True)
class PriceLevel:
    """Amounts somewhere: how many, mean and standard deviation of the natural logarithm of roughly dollars."""

    count: int
    log_mean: float
    log_spread: float


@dataclass(frozen=True, slots=True)
class FraudShare:
    """Smoothed shares of fraud, in [0, 1], among the transactions of the last 7 and 30 days with known labels."""

    week: float
    month: float


@dataclass(frozen=True, slots=True)
class Signals:
    """One snapshot. `version` names it; a merchant or category that is not in a mapping is unknown there.

    `usual` is the share of fraud where nothing else is known, None as long as no label is.
    """

    version: str = "none"
    category_prices: Mapping[str, PriceLevel] = field(default_factory=dict)
    merchant_prices: Mapping[str, PriceLevel] = field(default_factory=dict)
    merchant_risk: Mapping[str, FraudShare] = field(default_factory=dict)
    category_risk: Mapping[str, FraudShare] = field(default_factory=dict)
    usual: FraudShare | None = None


NO_SIGNALS = Signals()
"""Nothing is known: every feature that needs a snapshot is absent."""


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """Labels that became known within the last week and the last month: frauds among how many."""

    week_frauds: int = 0
    week_count: int = 0
    month_frauds: int = 0
    month_count: int = 0


def price_level(count: int, log_total: float, log_squares: float) -> PriceLevel:
    """The level of `count` > 0 amounts, from the sum of their natural logarithms and of the squares of those."""
    mean = log_total / count
    return PriceLevel(count, mean, sqrt(max(0.0, log_squares / count - mean * mean)))


def usual_share(all_labels: LabelCounts) -> FraudShare | None:
    """The share of fraud everywhere; None where no label became known within the month."""
    if not all_labels.month_count:
        return None
    month = all_labels.month_frauds / all_labels.month_count
    return FraudShare(fraud_share(all_labels.week_frauds, all_labels.week_count, month), month)


def fraud_shares(labels: Mapping[str, LabelCounts], usual: FraudShare) -> dict[str, FraudShare]:
    """The smoothed share of fraud of each merchant or category with known labels."""
    return {
        key: FraudShare(
            fraud_share(each.week_frauds, each.week_count, usual.week),
            fraud_share(each.month_frauds, each.month_count, usual.month),
        )
        for key, each in labels.items()
    }


def fraud_share(frauds: int, count: int, usual: float) -> float:
    """The share of fraud among `count` transactions with known labels, drawn towards the usual share."""
    return (frauds + SMOOTHING * usual) / (count + SMOOTHING)
