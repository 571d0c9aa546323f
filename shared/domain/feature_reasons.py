"""What each feature is called in a reason, and its observed and usual value in words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import atan2, exp, pi

from shared.domain.currencies import CURRENCIES
from shared.domain.decision import Reason
from shared.domain.features import FEATURES
from shared.domain.habit import FEWEST_HOURS, usual_count_a_day
from shared.domain.history import History
from shared.domain.price_levels import in_dollars
from shared.domain.signals import FraudShare, PriceLevel, Signals
from shared.domain.transaction import Transaction
from shared.domain.wording import (
    UNKNOWN,
    Wording,
    constantly,
    count_in,
    distance_from_home,
    mean_24h,
    money,
    refusals,
    speed,
    spent_7d,
    spent_24h,
    usual_money,
    usual_pace,
    usual_spend,
    usual_week,
)

Case = tuple[Transaction, History, Signals]


@dataclass(frozen=True, slots=True)
class FeatureReason:
    """A sentence with a place for its verb, and wordings of the observed and the usual value."""

    sentence: str
    observed: Wording
    usual: Wording

    @property
    def unusual(self) -> str:
        """`The amount is unusual for this account`."""
        return self.sentence.format(" is unusual")

    @property
    def compared(self) -> str:
        """`For comparison: the amount for this account`."""
        subject = self.sentence.format("")
        return f"For comparison: {subject[0].lower()}{subject[1:]}"


MINUTES_A_DAY = 24 * 60
MINUTES = {"5 min": 5, "1 h": 60, "24 h": MINUTES_A_DAY}


def usual_in(window: str) -> Wording:
    """A wording for the usual number of payments: `0.01 in 5 min`."""

    def wording(_transaction: Transaction, history: History, _signals: Signals) -> str:
        usual = usual_count_a_day(history)
        return UNKNOWN if usual is None else f"{usual * MINUTES[window] / MINUTES_A_DAY:.2g} in {window}"

    return wording


def category(transaction: Transaction, history: History, _signals: Signals) -> str:
    """`groceries, never paid before`."""
    name = transaction.merchant_category
    return UNKNOWN if name is None else _paid(name, history.knows_category)


def merchant(transaction: Transaction, history: History, _signals: Signals) -> str:
    """`mer-1, never paid before`."""
    return _paid(transaction.merchant_id, history.knows_merchant)


def known_merchants(_transaction: Transaction, history: History, _signals: Signals) -> str:
    """`4 merchants so far`."""
    return f"{history.merchants} merchants so far"


def known_categories(_transaction: Transaction, history: History, _signals: Signals) -> str:
    """`4 categories so far`."""
    return f"{history.categories} categories so far"


def category_price(transaction: Transaction, _history: History, signals: Signals) -> str:
    """`about 52.00 USD in groceries`."""
    level = signals.category_prices.get(transaction.merchant_category or "")
    return _price(level, transaction.currency, f"in {transaction.merchant_category}")


def merchant_price(transaction: Transaction, _history: History, signals: Signals) -> str:
    """`about 52.00 USD at mer-1`."""
    level = signals.merchant_prices.get(transaction.merchant_id)
    return _price(level, transaction.currency, f"at {transaction.merchant_id}")


def since_last(transaction: Transaction, history: History, _signals: Signals) -> str:
    """`42 s after the last payment`."""
    if history.last_at is None:
        return UNKNOWN
    seconds = max(0.0, (transaction.occurred_at - history.last_at).total_seconds())
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} after the last payment"
    return f"{seconds:.0f} s after the last payment"


def hour(transaction: Transaction, _history: History, _signals: Signals) -> str:
    """`02:15 UTC`."""
    return f"{transaction.occurred_at:%H:%M} UTC"


def usual_hour(_transaction: Transaction, history: History, _signals: Signals) -> str:
    """The hour that the account's payments lie around: `around 14 h UTC`."""
    hours = history.hours
    if hours.count < FEWEST_HOURS:
        return UNKNOWN
    return f"around {round(atan2(hours.sines, hours.cosines) / (2 * pi) * 24) % 24} h UTC"


def usual_share_of_fraud(_transaction: Transaction, _history: History, signals: Signals) -> str:
    """`0.6 % fraud`, where nothing else is known."""
    return UNKNOWN if signals.usual is None else _percent(signals.usual.month)


def _share(key: Callable[[Transaction], str], mapping: str, window: str) -> Wording:
    def wording(transaction: Transaction, _history: History, signals: Signals) -> str:
        shares: Mapping[str, FraudShare] = getattr(signals, mapping)
        share = shares.get(key(transaction), signals.usual)
        return UNKNOWN if share is None else _percent(getattr(share, window))

    return wording


def _merchant_share(window: str) -> Wording:
    return _share(lambda transaction: transaction.merchant_id, "merchant_risk", window)


def _paid(name: str, before: bool) -> str:
    return f"{name}, paid before" if before else f"{name}, never paid before"


def _percent(share: float) -> str:
    return f"{share * 100:.2g} % fraud"


def _price(level: PriceLevel | None, currency: str, where: str) -> str:
    if level is None:
        return UNKNOWN
    amount = exp(level.log_mean) / in_dollars(1, currency)
    return f"about {amount:,.{CURRENCIES[currency]}f} {currency} {where}"


FEATURE_REASONS: Mapping[str, FeatureReason] = {
    name: FeatureReason(sentence, observed, usual)
    for name, sentence, observed, usual in (
        ("amount", "The amount{}", money, usual_money),
        ("amount_24h", "The spending within 24 hours{}", spent_24h, usual_spend),
        ("amount_zscore", "The amount{} for this account", money, usual_money),
        ("amount_ratio", "The amount{} for this account", money, usual_money),
        ("category_amount_zscore", "The amount{} for the category", money, category_price),
        ("merchant_amount_zscore", "The amount{} for the merchant", money, merchant_price),
        ("amount_24h_ratio", "The spending within 24 hours{} for this account", spent_24h, usual_spend),
        ("mean_amount_24h_ratio", "The mean amount of 24 hours{} for this account", mean_24h, usual_money),
        ("amount_7d_ratio", "The spending of the week{} for this account", spent_7d, usual_week),
        ("num_tx_24h_ratio", "The number of payments{} for this account", count_in("24 h"), usual_pace),
        ("num_tx_last_24h", "The number of payments{}", count_in("24 h"), usual_in("24 h")),
        ("num_tx_last_1h", "The number of payments{}", count_in("1 h"), usual_in("1 h")),
        ("num_tx_last_5min", "The number of payments{}", count_in("5 min"), usual_in("5 min")),
        ("log_seconds_since_last", "The time since the last payment{}", since_last, usual_pace),
        ("new_merchant", "How well the account knows the merchant{}", merchant, known_merchants),
        ("new_category", "How well the account knows the category{}", category, known_categories),
        (
            "merchant_risk_7d",
            "Fraud at this merchant{}",
            _merchant_share("week"),
            usual_share_of_fraud,
        ),
        (
            "merchant_risk_score",
            "Fraud at this merchant{}",
            _merchant_share("month"),
            usual_share_of_fraud,
        ),
        (
            "category_risk_score",
            "Fraud in this category{}",
            _share(lambda transaction: transaction.merchant_category or "", "category_risk", "month"),
            usual_share_of_fraud,
        ),
        ("geo_distance", "The distance from home{}", distance_from_home, constantly("near home")),
        ("log_speed", "The journey since the last payment{}", speed, constantly("at most 900 km/h")),
        ("hour_of_day", "The hour{}", hour, usual_hour),
        ("hour_habit", "The hour{} for this account", hour, usual_hour),
        ("recent_refusals", "How often the account was refused{}", refusals, constantly("none")),
    )
}
"""Feature -> how a reason tells of it; one entry for each of FEATURES."""

_IN_ORDER = tuple((name, FEATURE_REASONS[name]) for name in FEATURES)


def unusual(case: Case, column: int) -> Reason:
    """The feature of this column of FEATURES is unusual."""
    name, told = _IN_ORDER[column]
    return Reason(f"unusual_{name}", told.unusual, told.observed(*case), told.usual(*case))


def compared(case: Case, column: int) -> Reason:
    """What the feature of this column of FEATURES is, though nothing says that it is unusual."""
    name, told = _IN_ORDER[column]
    return Reason(f"compared_{name}", told.compared, told.observed(*case), told.usual(*case))
