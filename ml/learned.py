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

    p is the logistic function of `slope * score + intercept`. `slope` is above 0, so that p ranks as the scores
    do; the two are fitted on the validation days. p is a probability of fraud among transactions such as were
    labelled: where only suspicious ones were reviewed, it lies above the probability among all. `declared` (R,) is
    a rule's own weight where hardly any labelled transaction fired it, else 0, for then the model knows it.
    """

    calibration: Calibration
    model: Model
    declared: NDArray[np.float64]
    slope: float = 1.0
    intercept: float = 0.0

    def __post_init__(self) -> None:
        if not (self.slope > 0 and np.isfinite([self.slope, self.intercept]).all()):
            raise ValueError("the slope of the combiner must be above 0")
        if not ((self.declared >= 0) & (self.declared < 1)).all():
            raise ValueError("the weights of the rules that no label tells of must lie in [0, 1)")

    def risks(self, findings: Findings) -> list[float]:
        """As the protocol."""
        scores = self.model.scores(design(findings, self.calibration))
        doubt = np.prod(1 - self.declared * np.asarray(findings.hits, dtype=np.float64), axis=1)
        doubt /= 1 + np.exp((self.slope * scores + self.intercept).clip(-700, 700))
        risks: list[float] = (1 - doubt).tolist()
        return risks

    def contributions(self, findings: Findings) -> list[Contributions]:
        """As the protocol; the unit is log odds, and `doubt_removed` where a rule keeps its declared weight."""
        parts = self.slope * self.model.contributions(design(findings, self.calibration))
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
