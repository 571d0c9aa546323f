"""Observed and usual values in words that an analyst can use: "412.00 USD", "35.10 ± 12.30 USD"."""

from collections.abc import Callable, Mapping
from math import exp

from shared.domain.currencies import CURRENCIES, major_units
from shared.domain.features import last_distance_km, speed_kmh
from shared.domain.habit import (
    WEEK_OF_HABIT,
    usual_amount,
    usual_count_a_day,
    usual_spend_a_day,
    usual_spend_before_week,
)
from shared.domain.history import History, counted_amount
from shared.domain.price_levels import in_dollars
from shared.domain.signals import PriceLevel, Signals
from shared.domain.transaction import Transaction

Wording = Callable[[Transaction, History, Signals], str]
"""Takes what a feature takes."""

UNKNOWN = "not known yet"


def money(transaction: Transaction, _history: History, _signals: Signals) -> str:
    """The amount: `412.00 USD`."""
    return _money(counted_amount(transaction), transaction.currency)


def usual_money(transaction: Transaction, history: History, _signals: Signals) -> str:
    """The account's usual amount: `35.10 ± 12.30 USD`."""
    usual = usual_amount(history)
    if usual is None:
        return UNKNOWN
    currency = transaction.currency
    return f"{_number(usual.mean, currency)} ± {_number(usual.deviation, currency)} {currency}"


def spent_24h(transaction: Transaction, history: History, _signals: Signals) -> str:
    """What was spent within 24 hours: `1,803.20 USD in 24 h`."""
    return f"{_money(history.amount_24h + counted_amount(transaction), transaction.currency)} in 24 h"


def mean_24h(transaction: Transaction, history: History, _signals: Signals) -> str:
    """The mean amount within 24 hours, payments in other currencies counted: `360.64 USD a payment in 24 h`."""
    mean = (history.amount_24h + counted_amount(transaction)) / (history.count_24h + 1)
    return f"{_money(mean, transaction.currency)} a payment in 24 h"


def spent_7d(transaction: Transaction, history: History, _signals: Signals) -> str:
    """What was spent within the week: `2,110.00 USD in 7 days`."""
    return f"{_money(history.week.total + counted_amount(transaction), transaction.currency)} in 7 days"


def usual_week(transaction: Transaction, history: History, _signals: Signals) -> str:
    """The spend of the three weeks before, as a week: `714.00 USD a week before that`."""
    usual = usual_spend_before_week(history)
    return (
        UNKNOWN if usual is None else f"{_money(usual * WEEK_OF_HABIT, transaction.currency)} a week before that"
    )


def usual_spend(transaction: Transaction, history: History, _signals: Signals) -> str:
    """The usual spend: `102.00 USD a day`."""
    usual = usual_spend_a_day(history)
    return UNKNOWN if usual is None else f"{_money(usual, transaction.currency)} a day"


def usual_pace(_transaction: Transaction, history: History, _signals: Signals) -> str:
    """The usual number: `2.9 payments a day`."""
    usual = usual_count_a_day(history)
    return UNKNOWN if usual is None else f"{usual:.1f} payments a day"


def count_in(window: str) -> Wording:
    """A wording for the count of payments, this one included: `6th payment in 5 min`."""
    attribute = {"5 min": "count_5min", "1 h": "count_1h", "24 h": "count_24h"}[window]

    def wording(_transaction: Transaction, history: History, _signals: Signals) -> str:
        return f"{_ordinal(getattr(history, attribute) + 1)} payment in {window}"

    return wording


def account_age(transaction: Transaction, history: History, _signals: Signals) -> str:
    """How little is known: `2 payments in USD so far`."""
    count = history.month.count
    return f"{_payments(count)} in {transaction.currency} in the last month"


def speed(transaction: Transaction, history: History, _signals: Signals) -> str:
    """The journey from the last place: `5,570 km at 33,420 km/h`."""
    distance = last_distance_km(transaction, history)
    return f"{distance:,.0f} km at {speed_kmh(transaction, history):,.0f} km/h"


def distance_from_home(transaction: Transaction, _history: History, _signals: Signals) -> str:
    """`5,570 km from home`; both places must be known."""
    if transaction.place is None or transaction.home is None:
        return UNKNOWN
    return f"{transaction.place.distance_km(transaction.home):,.0f} km from home"


def refusals(_transaction: Transaction, history: History, _signals: Signals) -> str:
    """`7 refusals in 1 h`."""
    return UNKNOWN if history.recent_refusals is None else f"{history.recent_refusals} refusals in 1 h"


def amount_and_merchant(transaction: Transaction, history: History, signals: Signals) -> str:
    """`412.00 USD at mer-1`."""
    return f"{money(transaction, history, signals)} at {transaction.merchant_id}"


def time_of_day(transaction: Transaction, history: History, signals: Signals) -> str:
    """`412.00 USD at 02:15 UTC`."""
    return f"{money(transaction, history, signals)} at {transaction.occurred_at:%H:%M} UTC"


def behaviour(transaction: Transaction, history: History, signals: Signals) -> str:
    """The amount and the last 24 hours: `412.00 USD; 5 payments, 1,803.20 USD in 24 h`."""
    pace = _payments(history.count_24h + 1)
    return f"{money(transaction, history, signals)}; {pace}, {spent_24h(transaction, history, signals)}"


def usual_behaviour(transaction: Transaction, history: History, signals: Signals) -> str:
    """The same as usual: `35.10 ± 12.30 USD; 2.9 payments a day, 102.00 USD a day`."""
    past = (transaction, history, signals)
    return f"{usual_money(*past)}; {usual_pace(*past)}, {usual_spend(*past)}"


def amount_and_category(transaction: Transaction, history: History, signals: Signals) -> str:
    """`412.00 USD in grocery_pos`."""
    return f"{money(transaction, history, signals)} in {transaction.merchant_category or 'no category'}"


def time_and_category(transaction: Transaction, history: History, signals: Signals) -> str:
    """`412.00 USD at 02:15 UTC in grocery_pos`."""
    return f"{time_of_day(transaction, history, signals)} in {transaction.merchant_category or 'no category'}"


def usual_category_price(transaction: Transaction, _history: History, signals: Signals) -> str:
    """What two in three pay in this category: `12.10 to 90.40 USD there`."""
    return _price_range(signals.category_prices.get(transaction.merchant_category or ""), transaction.currency)


def usual_merchant_price(transaction: Transaction, _history: History, signals: Signals) -> str:
    """What two in three pay at this merchant: `12.10 to 90.40 USD there`."""
    return _price_range(signals.merchant_prices.get(transaction.merchant_id), transaction.currency)


def merchant_frauds(transaction: Transaction, _history: History, signals: Signals) -> str:
    """What is known of the merchant: `31.0% fraud at mer-1 by the labels of a week`."""
    share = signals.merchant_risk.get(transaction.merchant_id)
    return (
        UNKNOWN
        if share is None
        else f"{share.week:.1%} fraud at {transaction.merchant_id} by the labels of a week"
    )


def usual_frauds(_transaction: Transaction, _history: History, signals: Signals) -> str:
    """What is known of all merchants: `0.6% everywhere`."""
    return UNKNOWN if signals.usual is None else f"{signals.usual.week:.1%} everywhere"


def constantly(words: str) -> Wording:
    """A wording that always says the same."""
    return lambda _transaction, _history, _signals: words


WORDINGS: Mapping[str, Wording] = {
    "money": money,
    "usual_money": usual_money,
    "spent_24h": spent_24h,
    "mean_24h": mean_24h,
    "spent_7d": spent_7d,
    "usual_spend": usual_spend,
    "usual_week": usual_week,
    "usual_pace": usual_pace,
    "count_5min": count_in("5 min"),
    "count_1h": count_in("1 h"),
    "count_24h": count_in("24 h"),
    "account_age": account_age,
    "speed": speed,
    "distance_from_home": distance_from_home,
    "refusals": refusals,
    "amount_and_merchant": amount_and_merchant,
    "time_of_day": time_of_day,
    "amount_and_category": amount_and_category,
    "time_and_category": time_and_category,
    "usual_category_price": usual_category_price,
    "usual_merchant_price": usual_merchant_price,
    "merchant_frauds": merchant_frauds,
    "usual_frauds": usual_frauds,
    "behaviour": behaviour,
    "usual_behaviour": usual_behaviour,
}
"""Name -> wording, as the rules file names them."""


def _price_range(level: PriceLevel | None, currency: str) -> str:
    """One standard deviation of the log amount around its mean; the level's unit is roughly dollars."""
    if level is None:
        return UNKNOWN
    unit = in_dollars(1, currency)
    low, high = (exp(level.log_mean + side * level.log_spread) / unit for side in (-1, 1))
    return f"{low:,.{CURRENCIES[currency]}f} to {high:,.{CURRENCIES[currency]}f} {currency} there"


def _ordinal(number: int) -> str:
    teen = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _payments(count: int) -> str:
    return f"{count} payment{'' if count == 1 else 's'}"


def _money(minor: float, currency: str) -> str:
    return f"{_number(minor, currency)} {currency}"


def _number(minor: float, currency: str) -> str:
    return f"{major_units(minor, currency):,.{CURRENCIES[currency]}f}"
