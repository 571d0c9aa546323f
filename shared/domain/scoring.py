"""One decision per transaction: features, forest, rules, risk, label and reasons. Pure computation."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Protocol

from shared.domain.decision import Decision, Reason, RiskLabel
from shared.domain.features import feature_row
from shared.domain.history import History
from shared.domain.lists import NO_LISTS, Lists
from shared.domain.risk import Calibration, Thresholds, combined, evidence
from shared.domain.rules import Rule, RuleSet
from shared.domain.signals import NO_SIGNALS, Signals
from shared.domain.transaction import Transaction
from shared.domain.wording import behaviour, usual_behaviour

Case = tuple[Transaction, History, Signals]
FOREST_REASON = "isolation_forest_high_score"
UNUSUAL = 0.02
"""The forest is a reason of its own where at most this share of the training window was as anomalous."""


class Forest(Protocol):
    """An isolation forest over rows of `feature_row`."""

    def anomaly(self, rows: Sequence[Sequence[float]]) -> list[float]:
        """Anomaly score in (0, 1) of each row, higher is stranger; NaN in a row means absent."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """Implements ports.Scorer. The version names the trained model that its parts up to the thresholds belong to.

    `lists` holds what has not expired: give `Lists.at(now)` anew for each batch.
    """

    forest: Forest
    rules: RuleSet
    calibration: Calibration
    thresholds: Thresholds
    model_version: str
    signals: Signals = NO_SIGNALS
    lists: Lists = NO_LISTS

    def decide(self, transactions: Sequence[Transaction], histories: Sequence[History]) -> list[Decision]:
        """One decision per transaction, in order; the sequences must be equally long."""
        if not transactions:
            return []
        rows = [feature_row(*past, self.signals) for past in zip(transactions, histories, strict=True)]
        anomalies, rules = self.forest.anomaly(rows), self.rules.active
        hits = [tuple(compress(rules, fired)) for fired in self.rules.hits(transactions, histories, rows)]
        cases = [(*past, self.signals) for past in zip(transactions, histories, strict=True)]
        return [self._decide(*each) for each in zip(cases, hits, anomalies, strict=True)]

    def _decide(self, case: Case, hits: Sequence[Rule], anomaly: float) -> Decision:
        tail = self.calibration.tail(anomaly)
        risk = combined(evidence(tail), (rule.weight for rule in hits))
        label, always_alerts = self.thresholds.label(risk), any(rule.always_alert for rule in hits)
        decision = Decision(
            anomaly=anomaly,
            risk=risk,
            label=label,
            reasons=_reasons(case, hits, tail, label),
            raises_alert=label is RiskLabel.HIGH or always_alerts,
            threshold=self.thresholds.high,
            model_version=self.model_version,
        )
        return self.lists.settled(case[0], decision, always_alerts=always_alerts)


def _reasons(case: Case, hits: Sequence[Rule], tail: float, label: RiskLabel) -> tuple[Reason, ...]:
    """Strongest first; what raised the risk to MEDIUM or HIGH is never left without one."""
    weighed = [(rule.weight, rule.explain(*case)) for rule in hits]
    if tail <= UNUSUAL or (label is not RiskLabel.LOW and not hits):
        weighed.append((evidence(tail), _forest_reason(case, tail)))
    weighed.sort(key=lambda pair: -pair[0])
    return tuple(reason for _, reason in weighed)


def _forest_reason(case: Case, tail: float) -> Reason:
    text = f"The behaviour as a whole is among the most unusual {_percent(tail)} of the training window"
    return Reason(FOREST_REASON, text, behaviour(*case), usual_behaviour(*case))


def _percent(share: float) -> str:
    return f"{max(share * 100, 0.01):.2g} %"
