"""What an account did before a transaction: the answer every history store gives, and the windows it covers.

The answer holds the known events strictly before `(occurred_at, transaction_id)`, without the transaction itself,
and counts each transaction once however often it is delivered. Times are whole microseconds since 1970, days are
UTC days since then.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import cos, log, sin, tau

from shared.domain.transaction import Place, Transaction

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows that a history tells of, and what is kept for that. Durations in microseconds, days as UTC days.

    Single events live for `kept_raw` before the account's newest, and the `kept_newest` newest however old they
    are, so that a rarely used card still has a last transaction; older ones live on in their day's totals. Week
    and month include the transaction's own day. Totals reach `kept_days` before the account's newest day, so that
    two days late still sees a month. Beyond `max_merchants` merchants and `max_categories` categories are not told
    apart any more, which bounds an attacked account.
    """

    five_minutes: int = timedelta(minutes=5) // _MICROSECOND
    hour: int = timedelta(hours=1) // _MICROSECOND
    day: int = timedelta(days=1) // _MICROSECOND
    week_days: int = 7
    month_days: int = 30
    kept_raw: int = timedelta(hours=48) // _MICROSECOND
    kept_newest: int = 10
    kept_days: int = 32
    max_merchants: int = 1000
    max_categories: int = 100


WINDOWS = Windows()
"""Those of every history store."""

MAX_AMOUNT_MINOR = 1 << 40
"""Amounts count at most this much in totals, so that 8,192 of them still sum below 2**53 (exact in Lua)."""

CLOCK_SCALE = 1000
"""Length of a clock's hand, see `clock_hand`."""


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
class HourTotals:
    """Sums of the hands of a clock (see `clock_hand`) over transactions."""

    count: int = 0
    cosines: int = 0
    sines: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """The account's past as of one transaction.

    Counts run over all currencies, amounts over the transaction's own currency. The windows are
    `(t - width, t)`: an event exactly `width` ago is outside. `week` and `month` hold the 6 and 29 whole UTC days
    before the transaction's day, and that day up to the transaction. A merchant is known where it was first seen
    at an earlier instant. A transaction older than what is kept, or whose id was counted at another time or in
    another currency, is not counted and sees whole days and merchants only; where it is only old, its merchant is
    seen. Categories are as merchants; `hours` covers the month's whole days in all currencies. `recent_refusals`
    are those of the last hour by the clock, None where nobody counted them.
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
    knows_category: bool = False
    categories: int = 0
    hours: HourTotals = HourTotals()
    recent_refusals: int | None = None


@dataclass(frozen=True, slots=True)
class AccountPast:
    """What the books hold of one account, as far as a history can still tell of it.

    `transactions` in the order in which they arrived, to be read once: all since `kept_days` before the newest
    one's day, and the `kept_newest` newest. `first_seen` holds the first instant at each merchant, ordered by when
    the merchant first arrived, at most `max_merchants` of them; `first_categories` likewise of categories.
    """

    transactions: Iterable[Transaction] = ()
    first_seen: Mapping[str, datetime] = field(default_factory=dict)
    first_categories: Mapping[str, datetime] = field(default_factory=dict)


def counted_at(transaction: Transaction) -> int:
    """When it counts, in microseconds since 1970; what claims to be older counts as of 1970 (exact in Lua)."""
    return counted_instant(transaction.occurred_at)


def counted_instant(moment: datetime) -> int:
    """An aware instant in microseconds since 1970, none before that."""
    return max(0, (moment - _EPOCH) // _MICROSECOND)


def instant(counted: int) -> datetime:
    """The inverse of `counted_instant`."""
    return _EPOCH + counted * _MICROSECOND


def counted_amount(transaction: Transaction) -> int:
    """The amount in minor units as it enters totals: at least 1, at most MAX_AMOUNT_MINOR."""
    return max(1, min(transaction.amount_minor, MAX_AMOUNT_MINOR))


def log_amount(amount_minor: int) -> int:
    """The natural logarithm of an amount in minor units, in thousandths: an integer, so that sums are exact."""
    return round(1000 * log(amount_minor))


def clock_hand(transaction: Transaction) -> tuple[int, int]:
    """Cosine and sine of the UTC time on a clock of 24 hours, in thousandths: integers, so that sums are exact."""
    angle = tau * (counted_at(transaction) % WINDOWS.day) / WINDOWS.day
    return round(CLOCK_SCALE * cos(angle)), round(CLOCK_SCALE * sin(angle))
