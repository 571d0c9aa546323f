"""Each feature's observed and usual value in words."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from shared.domain.feature_reasons import CODES, FEATURE_REASONS, IN_ORDER
from shared.domain.features import FEATURES
from shared.domain.history import History, HourTotals
from shared.domain.signals import NO_SIGNALS, FraudShare, PriceLevel, Signals
from shared.domain.wording import count_in
from tests.builders import NOON, a_transaction
from tests.habits import REGULAR

TRANSACTION = a_transaction(amount=Decimal(412), merchant_id="mer-1", merchant_category="groceries")
HISTORY = replace(REGULAR, count_5min=2, categories=3, hours=HourTotals(59, 0, 59_000))
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
    assert len(IN_ORDER) == len(CODES) == len(FEATURES)


@pytest.mark.parametrize(
    ("feature", "observed", "usual"),
    [
        ("amount_zscore", "412.00 USD", "10.00 ± 0.00 USD"),
        ("category_amount_zscore", "412.00 USD", "about 54.60 USD in groceries"),
        ("merchant_amount_zscore", "412.00 USD", "about 20.09 USD at mer-1"),
        ("num_tx_last_5min", "3rd payment in 5 min", "0.0069 in 5 min"),
        ("log_seconds_since_last", "42 s after the last payment", "2.0 payments a day"),
        ("new_merchant", "mer-1", "4 merchants so far"),
        ("new_category", "groceries", "3 categories so far"),
        ("merchant_risk_7d", "3.1 % fraud", "0.6 % fraud"),
        ("category_risk_score", "0.6 % fraud", "0.6 % fraud"),
        ("hour_habit", "12:00 UTC", "around 6 h UTC"),
    ],
)
def test_observed_and_usual_values(feature: str, observed: str, usual: str) -> None:
    assert told(feature) == (observed, usual)


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
