"""What all accounts together tell about merchants and categories: price levels, and the fraud known there.

A snapshot of the days before: never a live counter, so that serving and training see the same numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


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
