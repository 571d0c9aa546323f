"""The scorer: features, forest and rules become decisions with reasons."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from shared.domain.decision import Decision, RiskLabel
from shared.domain.features import FEATURES
from shared.domain.history import History
from shared.domain.risk import Calibration, Thresholds
from shared.domain.scoring import FOREST_REASON, Scorer
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

    def anomaly(self, rows: Sequence[Sequence[float]]) -> list[float]:
        assert all(len(row) == len(FEATURES) for row in rows)
        return [self.value] * len(rows)


def a_scorer(anomaly: float, medium: float = 0.7, high: float = 0.9) -> Scorer:
    calibration = Calibration((0.0, 0.5, 1.0), (1.0, 0.1, 1e-6))
    return Scorer(SameAnomaly(anomaly), RULES, calibration, Thresholds(medium, high), "forest-1")


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
    (reason,) = decision.reasons
    assert reason.code == FOREST_REASON == "isolation_forest_high_score"
    assert reason.observed == "25.00 USD; 1 payment, 25.00 USD in 24 h"
    assert reason.usual == "10.00 ± 0.00 USD; 2.0 payments a day, 20.00 USD a day"


def test_a_medium_risk_is_never_without_a_reason() -> None:
    decision = decide(a_scorer(0.4, medium=0.3), a_transaction(), REGULAR)

    assert decision.label is RiskLabel.MEDIUM
    assert [reason.code for reason in decision.reasons] == [FOREST_REASON]


def test_the_strongest_reason_comes_first() -> None:
    decision = decide(a_scorer(0.95), LARGE, History())
    weaker = decide(a_scorer(0.8), a_transaction(amount=Decimal(500)), REGULAR)

    assert [reason.code for reason in decision.reasons] == [FOREST_REASON, "large_first_amount"]
    assert [reason.code for reason in weaker.reasons] == [
        FOREST_REASON,
        "spending_far_above_usual",
        "amount_far_above_usual",
        "new_merchant_large_amount",
    ]


def test_a_rule_that_always_alerts_does_so_below_the_threshold() -> None:
    decision = decide(a_scorer(0.1, high=1.0), LARGE, History())

    assert decision.label is RiskLabel.MEDIUM
    assert decision.raises_alert


def test_a_batch_is_decided_in_order() -> None:
    decisions = a_scorer(0.1).decide([a_transaction(), LARGE, a_transaction()], [History()] * 3)

    assert [decision.label for decision in decisions] == [RiskLabel.LOW, RiskLabel.HIGH, RiskLabel.LOW]
    assert a_scorer(0.1).decide([], []) == []
