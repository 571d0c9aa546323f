"""The feature table by example: what each feature says of a transaction and its account's past."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from math import isnan, log, log1p, nan
from typing import Any

import pytest

from shared.domain.features import FEATURES, feature_row, named
from shared.domain.history import History, HourTotals
from shared.domain.signals import NO_SIGNALS, FraudShare, PriceLevel, Signals
from shared.domain.transaction import Place
from tests.builders import NOON, a_transaction
from tests.habits import A_WEEK_OLD, NEW, REGULAR, totals

BERLIN, HAMBURG = Place(52.52, 13.405), Place(53.5511, 9.9937)
NOTHING = History()


FOOD = {"merchant_category": "food"}

EXAMPLES: list[tuple[str, dict[str, Any], History, float]] = [
    ("amount", {"amount": Decimal("412.5")}, NOTHING, 412.5),
    ("amount", {"amount": Decimal(1500), "currency": "JPY"}, NOTHING, 10),
    ("amount", {"amount": Decimal("0.300"), "currency": "KWD"}, NOTHING, 1),
    ("amount_24h", {"amount": Decimal(25)}, replace(NOTHING, amount_24h=7500), 100),
    ("amount_24h", {"amount": Decimal(150), "currency": "JPY"}, replace(NOTHING, amount_24h=150), 2),
    ("amount_zscore", {}, NOTHING, nan),
    ("amount_zscore", {}, History(month=totals(1000, 1000)), nan),
    ("amount_zscore", {"amount": Decimal(10)}, REGULAR, 0),
    ("amount_zscore", {"amount": Decimal(1)}, REGULAR, 0),
    # Equal amounts have no spread of their own: only the prior's, sqrt(4 / 63).
    ("amount_zscore", {"amount": Decimal(100)}, REGULAR, (log(10000) - 6.908) / (4 / 63) ** 0.5),
    ("amount_ratio", {}, NOTHING, nan),
    ("amount_ratio", {"amount": Decimal(25)}, REGULAR, 2.5),
    ("amount_24h_ratio", {}, NOTHING, nan),
    ("amount_24h_ratio", {"amount": Decimal(20)}, REGULAR, 1),
    ("amount_24h_ratio", {"amount": Decimal(20)}, replace(REGULAR, amount_24h=8000), 5),
    ("amount_24h_ratio", {"amount": Decimal(10)}, replace(REGULAR, month=totals(*[1000] * 19)), 1),
    ("amount_24h_ratio", {"amount": Decimal(10)}, A_WEEK_OLD, 0.5),
    ("amount_24h_ratio", {}, NEW, nan),
    ("mean_amount_24h_ratio", {}, NOTHING, nan),
    ("mean_amount_24h_ratio", {"amount": Decimal(50)}, REGULAR, 5),
    ("mean_amount_24h_ratio", {"amount": Decimal(50)}, replace(REGULAR, count_24h=1, amount_24h=1000), 3),
    ("amount_7d_ratio", {}, NOTHING, nan),
    ("amount_7d_ratio", {}, History(month=totals(*[1000] * 9), week=totals(*[1000] * 9)), nan),
    ("amount_7d_ratio", {"amount": Decimal(130)}, REGULAR, 2),
    ("num_tx_24h_ratio", {}, NOTHING, nan),
    ("num_tx_24h_ratio", {}, replace(REGULAR, count_24h=2), 1),
    ("num_tx_24h_ratio", {}, replace(REGULAR, count_24h=8), 3),
    ("num_tx_24h_ratio", {}, A_WEEK_OLD, 1),
    ("num_tx_24h_ratio", {}, NEW, nan),
    ("num_tx_last_24h", {}, replace(NOTHING, count_24h=4), 4),
    ("num_tx_last_1h", {}, replace(NOTHING, count_1h=3), 3),
    ("num_tx_last_5min", {}, replace(NOTHING, count_5min=2), 2),
    ("log_seconds_since_last", {}, NOTHING, nan),
    ("log_seconds_since_last", {}, replace(NOTHING, last_at=NOON - timedelta(minutes=2)), log(121)),
    ("log_seconds_since_last", {}, replace(NOTHING, last_at=NOON + timedelta(hours=1)), 0),
    ("new_category", FOOD, NOTHING, nan),
    ("new_category", {}, replace(REGULAR, categories=2), nan),
    ("new_category", FOOD, replace(REGULAR, categories=2), 1),
    ("new_category", FOOD, replace(REGULAR, categories=2, knows_category=True), 0),
    ("new_merchant", {}, NOTHING, nan),
    ("new_merchant", {}, replace(REGULAR, knows_merchant=False), 1),
    ("new_merchant", {}, replace(REGULAR, knows_merchant=True), 0),
    ("geo_distance", {"place": BERLIN}, NOTHING, nan),
    ("geo_distance", {"home": BERLIN}, NOTHING, nan),
    ("geo_distance", {"place": BERLIN, "home": HAMBURG}, NOTHING, 255.2),
    ("log_speed", {"place": BERLIN}, NOTHING, nan),
    ("log_speed", {"place": BERLIN}, replace(NOTHING, last_at=NOON), nan),
    (
        "log_speed",
        {"place": BERLIN},
        replace(NOTHING, last_at=NOON - timedelta(hours=2), last_place=HAMBURG),
        log1p(127.6),
    ),
    ("log_speed", {"place": BERLIN}, replace(NOTHING, last_at=NOON, last_place=HAMBURG), log1p(255.2 * 60)),
    ("hour_of_day", {"occurred_at": NOON + timedelta(hours=2, minutes=15)}, NOTHING, 14.25),
    ("hour_habit", {}, NOTHING, nan),
    ("hour_habit", {}, History(hours=HourTotals(4, -4000, 0)), nan),
    ("hour_habit", {}, History(hours=HourTotals(36, -36_000, 0)), 0.1),
    ("hour_habit", {}, History(hours=HourTotals(36, 36_000, 0)), 1.9),
    ("hour_habit", {}, History(hours=HourTotals(36, 0, 36_000)), 1),
    ("recent_refusals", {}, replace(NOTHING, recent_refusals=7), 7),
]


LEVEL = PriceLevel(count=60, log_mean=log(10), log_spread=0.5)
SPREAD = ((60 * 0.5**2 + 4) / 64) ** 0.5
"""The level's own spread, drawn towards the prior's."""

SIGNALS = Signals(
    category_prices={"food": LEVEL, "toys": replace(LEVEL, count=9)},
    merchant_prices={"mer-1": LEVEL, "mer-2": replace(LEVEL, count=9)},
    merchant_risk={"mer-1": FraudShare(0.4, 0.3)},
    category_risk={"food": FraudShare(0.2, 0.1)},
    usual=FraudShare(0.02, 0.01),
)
SIGNAL_EXAMPLES: list[tuple[str, dict[str, Any], Signals, float]] = [
    ("category_amount_zscore", {"amount": Decimal(100), **FOOD}, SIGNALS, log(10) / SPREAD),
    ("category_amount_zscore", {"amount": Decimal(15_000), "currency": "JPY", **FOOD}, SIGNALS, log(10) / SPREAD),
    ("category_amount_zscore", {"amount": Decimal(1), **FOOD}, SIGNALS, -log(10) / SPREAD),
    ("category_amount_zscore", FOOD, NO_SIGNALS, nan),
    ("category_amount_zscore", {}, SIGNALS, nan),
    ("category_amount_zscore", {"merchant_category": "toys"}, SIGNALS, nan),
    ("merchant_amount_zscore", {"amount": Decimal(100)}, SIGNALS, log(10) / SPREAD),
    ("merchant_amount_zscore", {"amount": Decimal(1)}, SIGNALS, -log(10) / SPREAD),
    ("merchant_amount_zscore", {}, NO_SIGNALS, nan),
    ("merchant_amount_zscore", {"merchant_id": "mer-2"}, SIGNALS, nan),
    ("merchant_risk_7d", {}, SIGNALS, 0.4),
    ("merchant_risk_7d", {"merchant_id": "unknown"}, SIGNALS, 0.02),
    ("merchant_risk_7d", {}, NO_SIGNALS, nan),
    ("merchant_risk_score", {}, SIGNALS, 0.3),
    ("merchant_risk_score", {"merchant_id": "unknown"}, SIGNALS, 0.01),
    ("merchant_risk_score", {}, NO_SIGNALS, nan),
    ("category_risk_score", FOOD, SIGNALS, 0.1),
    ("category_risk_score", {"merchant_category": "unknown"}, SIGNALS, 0.01),
    ("category_risk_score", {}, SIGNALS, nan),
    ("category_risk_score", FOOD, NO_SIGNALS, nan),
]


@pytest.mark.parametrize(("name", "changes", "signals", "expected"), SIGNAL_EXAMPLES)
def test_a_feature_says_by_what_all_accounts_tell(
    name: str, changes: dict[str, Any], signals: Signals, expected: float
) -> None:
    value = FEATURES[name](a_transaction(**changes), NOTHING, signals)

    assert value == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(("name", "changes", "history", "expected"), EXAMPLES)
def test_a_feature_says(name: str, changes: dict[str, Any], history: History, expected: float) -> None:
    value = FEATURES[name](a_transaction(**changes), history, NO_SIGNALS)

    assert value == pytest.approx(expected, rel=1e-3, nan_ok=True)


def test_each_feature_has_examples() -> None:
    assert {name for name, *_ in EXAMPLES + SIGNAL_EXAMPLES} == set(FEATURES)


def test_a_row_has_the_order_of_the_table() -> None:
    transaction = a_transaction(place=BERLIN, home=HAMBURG)

    row = named(feature_row(transaction, REGULAR, NO_SIGNALS))

    assert list(row) == list(FEATURES)
    assert row == pytest.approx(
        {name: f(transaction, REGULAR, NO_SIGNALS) for name, f in FEATURES.items()}, nan_ok=True
    )


def test_absent_data_is_absent_not_zero() -> None:
    row = named(feature_row(a_transaction(), NOTHING, NO_SIGNALS))

    assert {name for name, value in row.items() if isnan(value)} == {
        "amount_zscore", "amount_ratio", "category_amount_zscore", "merchant_amount_zscore", "amount_24h_ratio",
        "mean_amount_24h_ratio", "amount_7d_ratio", "num_tx_24h_ratio", "log_seconds_since_last", "new_merchant",
        "new_category", "merchant_risk_7d", "merchant_risk_score", "category_risk_score", "geo_distance",
        "log_speed", "hour_habit", "recent_refusals",
    }  # fmt: skip


def test_an_amount_below_a_minor_unit_is_still_a_number() -> None:
    row = named(feature_row(a_transaction(amount=Decimal("0.0001")), REGULAR, NO_SIGNALS))

    assert row["amount_zscore"] == 0
