"""Simulated payments for tests."""

from datetime import date
from itertools import chain

from ml.simulation.customers import Payment
from ml.simulation.days import Plan, simulated


def payments_of(
    *, seed: int = 7, customers: int = 100, days: int = 50, fraud_share: float = 0.01
) -> list[Payment]:
    """Of days that are long over, in time order."""
    return [*chain.from_iterable(simulated(Plan(seed, customers, date(2025, 1, 1), days, fraud_share)))]
