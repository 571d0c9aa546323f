"""Thresholds follow from a target share or a budget of alerts, ties included; tails from the training window."""

from math import nextafter

import numpy as np
import pytest

from ml.calibration import Targets, band
from shared.command_line import UserError
from shared.domain.decision import RiskLabel
from shared.domain.risk import Thresholds


def reached(risks: list[float], rate: float) -> int:
    """How many are HIGH."""
    return sum(risk >= band(np.array(risks), rate).threshold for risk in risks)


def test_the_threshold_is_the_smallest_risk_that_the_share_lets_in() -> None:
    risks = [n / 1000 for n in range(1000)]
    found = band(np.array(risks), 0.005)
    thresholds = Thresholds(medium=0.5, high=found.threshold)

    assert found.threshold == 0.995
    assert thresholds.label(0.995) is RiskLabel.HIGH
    assert thresholds.label(nextafter(0.995, 0)) is RiskLabel.MEDIUM
    assert reached(risks, 0.005) == 5


@pytest.mark.parametrize(
    ("risks", "rate", "count"),
    [
        ([0.1] * 990 + [0.9] * 10, 0.005, 0),
        ([0.1] * 990 + [0.8] * 6 + [0.9] * 4, 0.005, 4),
        ([0.1] * 995 + [0.9] * 5, 0.005, 5),
        ([0.4] * 1000, 0.02, 0),
        ([0.1, 0.2, 0.9], 0.005, 0),
        ([1.0] * 10, 0.1, 10),
    ],
    ids=["too many equal", "equal below", "just as many equal", "all equal", "too few", "all certain"],
)
def test_of_equal_risks_none_is_let_in_where_all_would_be_too_many(
    risks: list[float], rate: float, count: int
) -> None:
    assert reached(risks, rate) == count


def test_without_a_budget_half_a_percent_is_high_and_two_percent_medium() -> None:
    assert Targets().rates(1000) == (0.005, 0.02)


def test_a_budget_of_alerts_a_day_sets_the_share_of_the_days_transactions() -> None:
    assert Targets(alerts_a_day=20).rates(1000) == (0.02, 0.08)
    assert Targets(0.01, 0.02, alerts_a_day=20).rates(1000) == (0.02, 0.04)


@pytest.mark.parametrize(
    ("high", "medium"), [(0, 0.02), (-0.1, 0.02), (0.11, 0.2), (0.02, 0.01), (0.01, 0.41), (float("nan"), 0.02)]
)
def test_shares_that_are_none_are_refused(high: float, medium: float) -> None:
    with pytest.raises(
        UserError, match=r"give --high-rate above 0 and at most 0\.1, and --medium-rate from there"
    ):
        Targets(high, medium)


@pytest.mark.parametrize(("high", "medium"), [(0.1, 0.4), (0.02, 0.02)])
def test_the_largest_shares_are_taken(high: float, medium: float) -> None:
    assert Targets(high, medium).rates(1000) == (high, medium)


@pytest.mark.parametrize("budget", [0, -1, 101, float("nan")])
def test_a_budget_that_is_no_share_of_the_transactions_is_refused(budget: float) -> None:
    with pytest.raises(UserError, match=r"budget above 0 and of at most 10%"):
        Targets(alerts_a_day=budget).rates(1000)
