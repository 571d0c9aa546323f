"""Accounts with a habit, for tests."""

from shared.domain.history import AmountTotals, History, log_amount
from tests.builders import NOON


def totals(*amounts: int) -> AmountTotals:
    logs = [log_amount(amount) for amount in amounts]
    return AmountTotals(len(amounts), sum(amounts), sum(logs), sum(each**2 for each in logs))


REGULAR = History(month=totals(*[1000] * 59), week=totals(*[1000] * 13), merchants=4, last_at=NOON)
"""Two payments of 10.00 a day for a month."""

A_WEEK_OLD = History(month=totals(*[1000] * 13), week=totals(*[1000] * 13), count_24h=2, merchants=4)
NEW = History(month=totals(*[1000] * 5), week=totals(*[1000] * 5), count_24h=5, amount_24h=5000, merchants=4)
"""Two payments of 10.00 a day for a week, and five within the last 24 hours only."""
