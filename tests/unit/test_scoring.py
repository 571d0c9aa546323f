"""The scorer: features, forest and rules become decisions with reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from shared.domain.decision import Decision, RiskLabel
from shared.domain.features import FEATURES
from shared.domain.history import History
from shared.domain.reasons import FOREST_REASON
from shared.domain.risk import Calibration, Contributions, Findings, NoisyOr, Thresholds
from shared.domain.scoring import Scorer
from shared.domain.transaction import Transaction
from shared.rules_file import SHIPPED_RULES, load_rules
from tests.builders import a_transaction
from tests.habits import REGULAR

RULES = load_rules(SHIPPED_RULES)
LARGE = a_transaction(amount=Decimal(5000))


@dataclass
class SameAnomaly:
    """A forest that finds everything equally strange."""

    value: float
    shortened: Mapping[str, float] = field(default_factory=dict)

    def anomaly(self, rows: Sequence[Sequence[float]]) -> list[float]:
        assert all(len(row) == len(FEATURES) for row in rows)
        return [self.value] * len(rows)

    def contributions(self, rows: Sequence[Sequence[float]]) -> list[tuple[float, ...]]:
        return [tuple(self.shortened.get(name, 0.0) for name in FEATURES) for _ in rows]


def a_scorer(anomaly: float, medium: float = 0.7, high: float = 0.9, **shortened: float) -> Scorer:
    calibration = Calibration((0.0, 0.5, 1.0), (1.0, 0.1, 1e-6))
    combiner = NoisyOr(calibration, tuple(rule.weight for rule in RULES.active))
    forest = SameAnomaly(anomaly, shortened)
    return Scorer(forest, RULES, combiner, calibration, Thresholds(medium, high), "forest-1")


@dataclass
class FromFeatures:
    """A combiner that finds everything risky, because of these features."""

    parts: Mapping[str, float]
    forest: float = 0.0

    def risks(self, findings: Findings) -> list[float]:
        return [0.95] * len(findings.anomalies)

    def contributions(self, findings: Findings) -> list[Contributions]:
        features = tuple(self.parts.get(name, 0.0) for name in FEATURES)
        return [Contributions(self.forest, (0.0,) * len(RULES.active), features) for _ in findings.anomalies]


def decide(scorer: Scorer, transaction: Transaction, history: History) -> Decision:
    (decision,) = scorer.decide([transaction], [history])
    return decision


def test_an_ordinary_transaction_is_low_and_needs_no_reason() -> None:
    decision = decide(a_scorer(0.3), a_transaction(), REGULAR)

    assert decision.label is RiskLabel.LOW
    assert decision.reasons == ()
    assert not decision.raises_alert
    assert (decision.anomaly, decision.threshold, decision.model_version) == (0.3, 0.9, "forest-1")


def test_a_strange_transaction_has_the_forest_as_its_reason() -> None:
    decision = decide(a_scorer(0.95), a_transaction(), REGULAR)

    assert decision.label is RiskLabel.HIGH
    assert decision.raises_alert
    reason = decision.reasons[0]
    assert reason.code == FOREST_REASON == "isolation_forest_high_score"
    assert reason.observed == "25.00 USD; 1 payment, 25.00 USD in 24 h"
    assert reason.usual == "10.00 ± 0.00 USD; 2.0 payments a day, 20.00 USD a day"


def test_a_medium_risk_is_never_without_a_reason() -> None:
    decision = decide(a_scorer(0.4, medium=0.3), a_transaction(), REGULAR)

    assert decision.label is RiskLabel.MEDIUM
    assert decision.reasons[0].code == FOREST_REASON


def test_the_strongest_reason_comes_first() -> None:
    decision = decide(a_scorer(0.95), LARGE, History())
    weaker = decide(a_scorer(0.8), a_transaction(amount=Decimal(500)), REGULAR)

    assert [reason.code for reason in decision.reasons][:2] == [FOREST_REASON, "large_first_amount"]
    assert [reason.code for reason in weaker.reasons] == [
        FOREST_REASON,
        "spending_far_above_usual",
        "amount_far_above_usual",
        "new_merchant_large_amount",
    ]


def test_where_the_forest_is_a_reason_its_features_take_the_places_left() -> None:
    paths = {"amount_zscore": 2.0, "new_merchant": 1.0, "hour_of_day": 0.1, "num_tx_last_1h": -3.0}
    decision = decide(a_scorer(0.95, **paths), a_transaction(), REGULAR)

    assert [reason.code for reason in decision.reasons] == [
        FOREST_REASON,
        "unusual_amount_zscore",
        "unusual_new_merchant",
    ]
    assert (decision.reasons[1].observed, decision.reasons[1].usual) == ("25.00 USD", "10.00 ± 0.00 USD")


def test_where_too_little_is_unusual_known_features_stand_for_comparison() -> None:
    decision = decide(a_scorer(0.95, num_tx_last_1h=-1.0, num_tx_last_5min=-2.0), a_transaction(), REGULAR)

    assert [(reason.code, reason.text) for reason in decision.reasons[1:]] == [
        ("compared_amount", "For comparison: the amount"),
        ("compared_amount_24h", "For comparison: the spending within 24 hours"),
    ]


def test_an_absent_feature_is_no_reason() -> None:
    decision = decide(a_scorer(0.95, geo_distance=2.0, amount=1.0), a_transaction(), REGULAR)

    assert [reason.code for reason in decision.reasons][:2] == [FOREST_REASON, "unusual_amount"]


def test_of_a_rule_and_a_feature_that_tell_the_same_the_rule_is_told() -> None:
    scorer = replace(a_scorer(0.3), combiner=FromFeatures({"amount_zscore": 1.0}))

    decision = decide(scorer, a_transaction(amount=Decimal(500)), REGULAR)

    assert decision.reasons[0].code == "amount_far_above_usual"
    assert "unusual_amount_zscore" not in [reason.code for reason in decision.reasons]


def test_a_learned_combiner_gives_its_three_strongest_features_and_tells_a_value_once() -> None:
    parts = {
        "amount": 1.0,
        "amount_zscore": 2.0,
        "num_tx_last_5min": 0.5,
        "num_tx_last_1h": 0.4,
        "hour_of_day": -9,
    }
    scorer = replace(a_scorer(0.3), combiner=FromFeatures(parts | {"new_merchant": 0.3}))

    decision = decide(scorer, a_transaction(), REGULAR)

    assert [(reason.code, reason.observed, reason.usual) for reason in decision.reasons] == [
        ("unusual_amount_zscore", "25.00 USD", "10.00 ± 0.00 USD"),
        ("unusual_num_tx_last_5min", "1st payment in 5 min", "0.0069 in 5 min"),
        ("unusual_num_tx_last_1h", "1st payment in 1 h", "0.083 in 1 h"),
    ]


def test_rules_that_a_learned_combiner_holds_cheap_come_after_what_raised_the_risk() -> None:
    scorer = replace(a_scorer(0.3), combiner=FromFeatures({"hour_of_day": 1.0}))

    decision = decide(scorer, LARGE, History())

    assert [reason.code for reason in decision.reasons] == [
        "unusual_hour_of_day",
        "large_first_amount",
        FOREST_REASON,
    ]


def test_a_learned_combiner_without_any_positive_part_falls_back_on_the_forest() -> None:
    scorer = replace(a_scorer(0.3), combiner=FromFeatures({}))

    assert decide(scorer, a_transaction(), REGULAR).reasons[0].code == FOREST_REASON


def test_a_rule_that_always_alerts_does_so_below_the_threshold() -> None:
    decision = decide(a_scorer(0.1, high=1.0), LARGE, History())

    assert decision.label is RiskLabel.MEDIUM
    assert decision.raises_alert


def test_a_batch_is_decided_in_order() -> None:
    decisions = a_scorer(0.1).decide([a_transaction(), LARGE, a_transaction()], [History()] * 3)

    assert [decision.label for decision in decisions] == [RiskLabel.LOW, RiskLabel.HIGH, RiskLabel.LOW]
    assert a_scorer(0.1).decide([], []) == []
