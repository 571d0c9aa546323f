"""Risk: monotone in every part, strict among the riskiest, labelled on both sides of each threshold."""

from math import nextafter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.decision import RiskLabel
from shared.domain.risk import Calibration, Thresholds, combined, evidence

CALIBRATION = Calibration((0.0, 0.4, 0.5, 0.6, 0.7, 1.0), (1.0, 0.5, 0.1, 0.01, 0.001, 1e-9))
anomalies = st.floats(0, 1)
weights = st.lists(st.floats(0.01, 0.95), max_size=6)


def risk(anomaly: float, fired: list[float]) -> float:
    return combined(evidence(CALIBRATION.tail(anomaly)), fired)


@given(anomalies, weights)
def test_a_risk_lies_between_0_and_1(anomaly: float, fired: list[float]) -> None:
    assert 0 <= risk(anomaly, fired) < 1


@given(anomalies, anomalies, weights)
def test_a_stranger_transaction_is_never_less_risky(one: float, other: float, fired: list[float]) -> None:
    low, high = sorted((one, other))

    assert risk(low, fired) <= risk(high, fired) + 1e-12


@given(anomalies, weights, st.floats(0.01, 0.95))
def test_one_more_rule_always_raises_the_risk(anomaly: float, fired: list[float], weight: float) -> None:
    assert risk(anomaly, [*fired, weight]) > risk(anomaly, fired)


@given(st.floats(0.7, 0.99), weights)
def test_ranks_stay_strict_beyond_the_training_window(anomaly: float, fired: list[float]) -> None:
    assert risk(anomaly + 0.001, fired) > risk(anomaly, fired)


@pytest.mark.parametrize(
    ("anomaly", "tail"), [(0, 1), (0.4, 0.5), (0.5, 0.1), (0.65, 0.01 / 10**0.5), (1, 1e-9), (0.2, 0.5**0.5)]
)
def test_the_tail_is_log_linear_between_knots(anomaly: float, tail: float) -> None:
    assert CALIBRATION.tail(anomaly) == pytest.approx(tail)


def test_a_rule_counts_as_much_as_a_tail_of_one_minus_its_weight_cubed() -> None:
    assert evidence((1 - 0.7) ** 3) == pytest.approx(0.7)
    assert combined(0.0, [0.7, 0.5]) == pytest.approx(combined(evidence(0.027), [0.5]))


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (0.0, RiskLabel.LOW),
        (nextafter(0.6, 0), RiskLabel.LOW),
        (0.6, RiskLabel.MEDIUM),
        (nextafter(0.9, 0), RiskLabel.MEDIUM),
        (0.9, RiskLabel.HIGH),
        (1.0, RiskLabel.HIGH),
    ],
)
def test_both_sides_of_each_threshold(value: float, label: RiskLabel) -> None:
    assert Thresholds(medium=0.6, high=0.9).label(value) is label


@pytest.mark.parametrize(("medium", "high"), [(0.9, 0.6), (0, 0.5), (0.5, 1.1), (float("nan"), 0.5)])
def test_thresholds_in_disorder_are_refused(medium: float, high: float) -> None:
    with pytest.raises(ValueError, match="0 < medium"):
        Thresholds(medium, high)


@pytest.mark.parametrize(
    ("knots", "tails"),
    [
        ((0.0, 1.0), (1.0,)),
        ((0.0,), (1.0,)),
        ((0.0, 0.5, 0.5, 1.0), (1.0, 0.5, 0.1, 0.01)),
        ((0.0, 0.5, 1.0), (1.0, 0.5, 0.6)),
        ((0.1, 1.0), (1.0, 0.1)),
        ((0.0, 1.0), (0.9, 0.1)),
        ((0.0, 1.0), (1.0, 0.0)),
    ],
)
def test_a_calibration_that_is_not_monotone_is_refused(knots: tuple[float, ...], tails: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="calibration"):
        Calibration(knots, tails)
