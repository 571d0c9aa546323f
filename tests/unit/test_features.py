"""The feature table by example: what each feature says of a transaction and its account's past."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from math import isnan, log, log1p, nan
from typing import Any

import pytest

from shared.domain.features import FEATURES, feature_row, named
from shared.domain.history import History
from shared.domain.signals import NO_SIGNALS
from shared.domain.transaction import Place
from tests.builders import NOON, a_transaction
from tests.habits import A_WEEK_OLD, NEW, REGULAR, totals

BERLIN, HAMBURG = Place(52.52, 13.405), Place(53.5511, 9.9937)
NOTHING = History()


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
    ("num_tx_last_1h", {}, replace(NOTHING, count_1h=3), 3),
    ("num_tx_last_5min", {}, replace(NOTHING, count_5min=2), 2),
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
    ("recent_refusals", {}, replace(NOTHING, recent_refusals=7), 7),
]


@pytest.mark.parametrize(("name", "changes", "history", "expected"), EXAMPLES)
def test_a_feature_says(name: str, changes: dict[str, Any], history: History, expected: float) -> None:
    value = FEATURES[name](a_transaction(**changes), history, NO_SIGNALS)

    assert value == pytest.approx(expected, rel=1e-3, nan_ok=True)


def test_each_feature_has_examples() -> None:
    assert {name for name, *_ in EXAMPLES} == set(FEATURES)


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
        "amount_zscore", "amount_24h_ratio", "mean_amount_24h_ratio", "amount_7d_ratio", "num_tx_24h_ratio",
        "new_merchant", "geo_distance", "log_speed",
    }  # fmt: skip


def test_an_amount_below_a_minor_unit_is_still_a_number() -> None:
    row = named(feature_row(a_transaction(amount=Decimal("0.0001")), REGULAR, NO_SIGNALS))

    assert row["amount_zscore"] == 0
