"""The combiner that labels taught: a model over features, forest and rules, served with numpy alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.boosting import BoostedTrees
from ml.logistic import LogisticRegression
from shared.domain.risk import Calibration, Contributions, Findings, rule_contributions

Model = LogisticRegression | BoostedTrees
"""A model of the log odds of fraud over rows of `design`."""


@dataclass(frozen=True, eq=False)
class LearnedCombiner:
    """A Combiner: `risk = 1 - (1 - p) * product(1 - declared)` over the rules that fired.

    p is the logistic function of the model's score: the probability of fraud among transactions such as were
    labelled. Where only suspicious ones were reviewed, it lies above the probability among all. `declared` (R,) is
    a rule's own weight where hardly any labelled transaction fired it, else 0, for then the model knows it.
    """

    calibration: Calibration
    model: Model
    declared: NDArray[np.float64]

    def __post_init__(self) -> None:
        if not ((self.declared >= 0) & (self.declared < 1)).all():
            raise ValueError("the weights of the rules that no label tells of must lie in [0, 1)")

    def risks(self, findings: Findings) -> list[float]:
        """As the protocol."""
        scores = self.model.scores(design(findings, self.calibration))
        risks: list[float] = self.risks_of(scores, np.asarray(findings.hits, dtype=np.float64)).tolist()
        return risks

    def risks_of(self, scores: NDArray[np.float64], hits: NDArray[np.float64]) -> NDArray[np.float64]:
        """The risks (N,) that follow from the model's scores (N,), log odds, and from what fired (N, R)."""
        doubt = np.prod(1 - self.declared * hits, axis=1) / (1 + np.exp(scores.clip(-700, 700)))
        return np.asarray(1 - doubt)

    def contributions(self, findings: Findings) -> list[Contributions]:
        """As the protocol; the unit is log odds, and `doubt_removed` where a rule keeps its declared weight."""
        parts = self.model.contributions(design(findings, self.calibration))
        return [self._named(row.tolist(), hits) for row, hits in zip(parts, findings.hits, strict=True)]

    def _named(self, parts: list[float], hits: object) -> Contributions:
        rules = len(self.declared)
        fired = np.asarray(hits, dtype=np.float64).tolist()
        learned = parts[len(parts) - rules :]
        declared = rule_contributions(self.declared.tolist(), fired)
        return Contributions(
            forest=parts[-rules - 1],
            rules=tuple([one + hit * other for one, hit, other in zip(declared, fired, learned, strict=True)]),
            features=tuple(parts[: -rules - 1]),
        )


def design(findings: Findings, calibration: Calibration) -> NDArray[np.float64]:
    """What a learned combiner sees (N, F + 1 + R): the features, the rarity of the anomaly, the rules' hits."""
    hits = np.asarray(findings.hits, dtype=np.float64)
    rarity = [calibration.rarity(anomaly) for anomaly in findings.anomalies]
    rows = np.asarray(findings.rows, dtype=np.float64)
    return np.column_stack([rows, rarity, hits])
