"""How rankings and thresholds are judged, on cases small enough to count by hand."""

from datetime import date

import numpy as np
import pytest

from ml.dataset import Dataset
from ml.labels import riskiest_cards
from ml.metrics import alerting, at_share, calibration, card_precision, curves, rule_records


def dataset(label: list[int], account: list[int], day: list[int], dollars: list[float] | None = None) -> Dataset:
    count = len(label)
    return Dataset(
        ids=np.array([f"txn-{n}" for n in range(count)]),
        account=np.array(account),
        dollars=np.array(dollars or [1.0] * count),
        day=np.datetime64(date(2026, 1, 1)) + np.array(day),
        features=np.zeros((count, 1)),
        hits=np.array([[n % 2 == 0, False] for n in range(count)]),
        label=np.array(label, dtype=float),
    )


def test_the_share_of_frauds_among_the_riskiest() -> None:
    test = dataset([1, 0, 1, 0], [1, 2, 3, 4], [0, 0, 0, 0], dollars=[30, 1, 10, 1])
    risk = np.array([0.9, 0.8, 0.1, 0.2])

    half = at_share(test, risk, 0.5)

    assert (half.transactions, half.precision, half.recall, half.value_caught) == (2, 0.5, 0.5, 0.75)
    assert at_share(test, risk, 1).recall == 1


def test_a_threshold_belongs_to_what_it_catches() -> None:
    test = dataset([1, 0, 1, 0], [1, 2, 3, 4], [0, 0, 0, 0])

    caught = alerting(test, np.array([0.9, 0.5, 0.49, 0.2]), 0.5, 0.02)

    assert (caught.share, caught.precision, caught.recall) == (0.5, 0.5, 0.5)


def test_nothing_above_a_threshold_is_no_precision() -> None:
    test = dataset([1, 0], [1, 2], [0, 0])

    assert alerting(test, np.array([0.1, 0.2]), 0.5, 0.02).precision == 0


def test_a_card_that_was_caught_is_not_looked_at_again() -> None:
    test = dataset([1, 0, 1, 0], account=[1, 2, 1, 2], day=[0, 0, 1, 1])

    found = card_precision(test, np.array([0.9, 0.1, 0.9, 0.1]), cards=1)

    assert found == 0.5


def test_cards_rank_by_their_riskiest_transaction() -> None:
    account, risk = np.array([1, 2, 3, 1]), np.array([0.1, 0.5, 0.3, 0.9])

    assert riskiest_cards(account, risk).tolist() == [1, 2, 3]


def test_a_rule_is_judged_by_its_hits() -> None:
    often, never = rule_records(dataset([1, 1, 0, 0], [1, 2, 3, 4], [0, 0, 0, 0]), ["often", "never"])

    assert (often.hits, often.frauds, often.precision, often.recall) == (2, 1, 0.5, 0.5)
    assert (never.hits, never.precision, never.recall) == (0, None, 0)


def test_bins_of_risk_hold_their_share_of_fraud() -> None:
    bins = calibration(np.array([0.0, 1.0, 1.0]), np.array([0.05, 0.07, 1.0]))

    assert [(each.low, each.transactions, each.fraud_share) for each in bins] == [(0, 2, 0.5), (0.9, 1, 1)]
    assert bins[0].mean_risk == pytest.approx(0.06)


def test_curves_are_thinned_out_but_keep_their_ends() -> None:
    chance = np.random.default_rng(7)
    label, risk = (chance.random(5000) < 0.1).astype(float), chance.random(5000)

    roc = curves(label, risk).roc

    assert len(roc) <= 200
    assert (roc[0], roc[-1]) == ((0.0, 0.0), (1.0, 1.0))
