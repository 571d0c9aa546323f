"""What an account did before a transaction: the answer every history store gives, and the windows it covers.

The answer holds the known events strictly before `(occurred_at, transaction_id)`, without the transaction itself,
and counts each transaction once however often it is delivered.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log

from shared.domain.transaction import Place, Transaction

KEPT_RAW = timedelta(hours=48)
"""Single events are kept this long before the account's newest; older ones live on in their day's totals."""

KEPT_NEWEST = 10
"""The newest events are kept however old they are, so that a rarely used card still has a last transaction."""

KEPT_DAYS = 30
MAX_MERCHANTS = 1000
"""Merchants remembered per account; further ones are not told apart any more (bounds an attacked account)."""

MAX_AMOUNT_MINOR = 1 << 40
"""Amounts count at most this much in totals, so that 8,192 of them still sum below 2**53 (exact in Lua)."""


@dataclass(frozen=True, slots=True)
class AmountTotals:
    """Sufficient statistics of amounts in one currency.

    `total` is in minor units; `log_total` and `log_squares` sum the log amount (see `log_amount`) and its square.
    """

    count: int = 0
    total: int = 0
    log_total: int = 0
    log_squares: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """The account's past as of one transaction.

    Counts run over all currencies, amounts over the transaction's own currency. The windows are
    `(t - width, t)`: an event exactly `width` ago is outside. `week` and `month` hold the 6 and 29 whole UTC days
    before the transaction's day, and that day up to the transaction.
    """

    count_5min: int = 0
    count_1h: int = 0
    count_24h: int = 0
    amount_24h: int = 0
    week: AmountTotals = AmountTotals()
    month: AmountTotals = AmountTotals()
    last_at: datetime | None = None
    last_place: Place | None = None
    knows_merchant: bool = False
    merchants: int = 0
    recent_refusals: int = 0


def counted_amount(transaction: Transaction) -> int:
    """The amount in minor units as it enters totals: at least 1, at most MAX_AMOUNT_MINOR."""
    return max(1, min(transaction.amount_minor, MAX_AMOUNT_MINOR))


def log_amount(amount_minor: int) -> int:
    """The natural logarithm of an amount in minor units, in thousandths: an integer, so that sums are exact."""
    return round(1000 * log(amount_minor))
