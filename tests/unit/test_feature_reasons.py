"""Each feature's observed and usual value in words."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from shared.domain.feature_reasons import FEATURE_REASONS, Case
from shared.domain.features import FEATURES
from shared.domain.history import History, HourTotals
from shared.domain.signals import NO_SIGNALS, FraudShare, PriceLevel, Signals
from shared.domain.transaction import Place
from shared.domain.wording import count_in
from tests.builders import NOON, a_transaction
from tests.habits import REGULAR, totals

TRANSACTION = a_transaction(amount=Decimal(412), merchant_id="mer-1", merchant_category="groceries")
HISTORY = replace(REGULAR, count_5min=2, count_24h=1, categories=3, hours=HourTotals(59, 0, 59_000))
SIGNALS = Signals(
    category_prices={"groceries": PriceLevel(100, 4.0, 0.5)},
    merchant_prices={"mer-1": PriceLevel(100, 3.0, 0.5)},
    merchant_risk={"mer-1": FraudShare(0.031, 0.02)},
    usual=FraudShare(0.007, 0.006),
)


def told(feature: str, signals: Signals = SIGNALS, history: History = HISTORY) -> tuple[str, str]:
    reason = FEATURE_REASONS[feature]
    case = (replace(TRANSACTION, occurred_at=NOON + timedelta(seconds=42)), history, signals)
    return reason.observed(*case), reason.usual(*case)


def test_every_feature_has_words() -> None:
    assert set(FEATURE_REASONS) == set(FEATURES)


@pytest.mark.parametrize(
    ("feature", "observed", "usual"),
    [
        ("amount_zscore", "412.00 USD", "10.00 ± 0.00 USD"),
        ("category_amount_zscore", "412.00 USD", "about 54.60 USD in groceries"),
        ("merchant_amount_zscore", "412.00 USD", "about 20.09 USD at mer-1"),
        ("mean_amount_24h_ratio", "206.00 USD a payment in 24 h", "10.00 ± 0.00 USD"),
        ("amount_7d_ratio", "542.00 USD in 7 days", "130.00 USD a week before that"),
        ("num_tx_last_5min", "3rd payment in 5 min", "0.0069 in 5 min"),
        ("log_seconds_since_last", "42 s after the last payment", "2.0 payments a day"),
        ("new_merchant", "mer-1, never paid before", "4 merchants so far"),
        ("new_category", "groceries, never paid before", "3 categories so far"),
        ("merchant_risk_7d", "3.1 % fraud", "0.6 % fraud"),
        ("category_risk_score", "0.6 % fraud", "0.6 % fraud"),
        ("hour_habit", "12:00 UTC", "around 6 h UTC"),
    ],
)
def test_observed_and_usual_values(feature: str, observed: str, usual: str) -> None:
    assert told(feature) == (observed, usual)


PLACED = replace(TRANSACTION, place=Place(52.5, 13.4), home=Place(53.5, 10.0))
KNOWN = replace(
    HISTORY,
    last_at=NOON - timedelta(hours=1),
    last_place=Place(52.0, 13.0),
    week=totals(*[1000] * 13),
    recent_refusals=2,
)
CASE: Case = (PLACED, KNOWN, SIGNALS)
CHANGED: dict[str, Case] = {
    "amount": (replace(PLACED, amount=Decimal(413)), KNOWN, SIGNALS),
    "merchant": (replace(PLACED, merchant_id="mer-2"), KNOWN, SIGNALS),
    "category": (replace(PLACED, merchant_category="travel"), KNOWN, SIGNALS),
    "place": (replace(PLACED, place=Place(48.1, 11.6)), KNOWN, SIGNALS),
    "home": (replace(PLACED, home=Place(48.1, 11.6)), KNOWN, SIGNALS),
    "time": (replace(PLACED, occurred_at=NOON + timedelta(minutes=90)), KNOWN, SIGNALS),
    "payments in 5 min": (PLACED, replace(KNOWN, count_5min=7), SIGNALS),
    "payments in 1 h": (PLACED, replace(KNOWN, count_1h=7), SIGNALS),
    "payments in 24 h": (PLACED, replace(KNOWN, count_24h=7), SIGNALS),
    "spent in 24 h": (PLACED, replace(KNOWN, amount_24h=9000), SIGNALS),
    "spent in 7 days": (PLACED, replace(KNOWN, week=totals(*[1300] * 13)), SIGNALS),
    "spent in 30 days": (PLACED, replace(KNOWN, month=totals(*[2000] * 59)), SIGNALS),
    "payments in 30 days": (PLACED, replace(KNOWN, month=totals(*[1000] * 40)), SIGNALS),
    "last payment": (PLACED, replace(KNOWN, last_at=NOON - timedelta(hours=3)), SIGNALS),
    "last place": (PLACED, replace(KNOWN, last_place=Place(48.1, 11.6)), SIGNALS),
    "known merchant": (PLACED, replace(KNOWN, knows_merchant=True), SIGNALS),
    "merchants": (PLACED, replace(KNOWN, merchants=0), SIGNALS),
    "known category": (PLACED, replace(KNOWN, knows_category=True), SIGNALS),
    "categories": (PLACED, replace(KNOWN, categories=0), SIGNALS),
    "hours": (PLACED, replace(KNOWN, hours=HourTotals(59, 40_000, 40_000)), SIGNALS),
    "refusals": (PLACED, replace(KNOWN, recent_refusals=9), SIGNALS),
    "prices of the category": (
        PLACED,
        KNOWN,
        replace(SIGNALS, category_prices={"groceries": PriceLevel(100, 5.0, 0.5)}),
    ),
    "prices of the merchant": (
        PLACED,
        KNOWN,
        replace(SIGNALS, merchant_prices={"mer-1": PriceLevel(100, 5.0, 0.5)}),
    ),
    "frauds of the week": (PLACED, KNOWN, replace(SIGNALS, merchant_risk={"mer-1": FraudShare(0.5, 0.02)})),
    "frauds of the month": (PLACED, KNOWN, replace(SIGNALS, merchant_risk={"mer-1": FraudShare(0.031, 0.5)})),
    "frauds of the category": (PLACED, KNOWN, replace(SIGNALS, category_risk={"groceries": FraudShare(0.4, 0.4)})),
}
"""CASE with one input changed."""

UNTOLD = {("amount_zscore", "payments in 30 days")}
"""A short history's spread is drawn towards a common one, which no words tell of."""


def moved(name: str, case: Case) -> bool:
    return FEATURES[name](*case) != FEATURES[name](*CASE)


def words(name: str, case: Case) -> tuple[str, str]:
    return FEATURE_REASONS[name].observed(*case), FEATURE_REASONS[name].usual(*case)


@pytest.mark.parametrize("feature", FEATURES)
def test_whatever_changes_a_feature_changes_what_is_told_of_it(feature: str) -> None:
    changes = {change for change, case in CHANGED.items() if moved(feature, case)}

    assert changes
    silent = {(feature, change) for change in changes if words(feature, CHANGED[change]) == words(feature, CASE)}
    assert silent <= UNTOLD


def test_an_observed_value_tells_of_no_window_that_its_feature_does_not_see() -> None:
    windows = {change: case for change, case in CHANGED.items() if " in " in change}

    told_of = {
        (name, change)
        for name in FEATURES
        for change, case in windows.items()
        if words(name, case)[0] != words(name, CASE)[0] and not moved(name, case)
    }

    assert told_of == set()


@pytest.mark.parametrize("feature", FEATURES)
def test_nothing_known_still_gives_words(feature: str) -> None:
    observed, usual = told(feature, NO_SIGNALS, History())

    assert observed
    assert usual


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (200_000, "2 days")]
)
def test_the_time_since_the_last_payment_in_its_unit(seconds: int, words: str) -> None:
    history = replace(HISTORY, last_at=NOON + timedelta(seconds=42 - seconds))

    assert told("log_seconds_since_last", history=history)[0] == f"{words} after the last payment"


def test_a_price_level_is_told_in_the_payments_currency() -> None:
    yen = replace(TRANSACTION, currency="JPY", amount=Decimal(5000))

    assert FEATURE_REASONS["category_amount_zscore"].usual(yen, HISTORY, SIGNALS) == "about 8,190 JPY in groceries"


@pytest.mark.parametrize(
    ("before", "words"),
    [(0, "1st"), (1, "2nd"), (2, "3rd"), (3, "4th"), (10, "11th"), (12, "13th"), (110, "111th"), (120, "121st")],
)
def test_counts_are_told_as_ordinals(before: int, words: str) -> None:
    assert count_in("24 h")(TRANSACTION, History(count_24h=before), NO_SIGNALS) == f"{words} payment in 24 h"


def test_hours_shortly_before_midnight_are_around_midnight() -> None:
    assert told("hour_habit", history=History(hours=HourTotals(9, 9_000, -10)))[1] == "around 0 h UTC"
