"""Risk without labels: how rare the forest finds a transaction, and the rules, as one number in [0, 1].

The forest's anomaly becomes the share of the training window that was at least as anomalous (its tail), the tail
becomes evidence `1 - tail ** (1/3)`, and evidence and the weights of the rules that fired are combined by
noisy-or: `risk = 1 - (1 - evidence) * product(1 - weight)`. So a rule of weight w counts as much as a tail of
`(1 - w) ** 3`, every hit and every bit of anomaly raises the risk, and nothing reaches 1.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, log, pow, prod

from shared.domain.decision import RiskLabel

SHARPNESS = 3
"""The cube root spreads the tails that matter (2 % is 0.73, 0.5 % is 0.83) over a scale that people can read."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Knots (anomaly, tail) from the training window: anomalies rise strictly from 0 to 1, tails fall strictly.

    Between knots the logarithm of the tail is linear, so that ranks stay strict beyond the training window too.
    """

    anomalies: tuple[float, ...]
    tails: tuple[float, ...]

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.anomalies, self.anomalies[1:], strict=False))
        falling = all(a > b for a, b in zip(self.tails, self.tails[1:], strict=False))
        if len(self.anomalies) != len(self.tails) or len(self.tails) < 2 or not (rising and falling):
            raise ValueError("calibration needs two or more knots with rising anomalies and falling tails")
        if (self.anomalies[0], self.anomalies[-1]) != (0.0, 1.0) or self.tails[0] != 1.0 or self.tails[-1] <= 0:
            raise ValueError("calibration must run from anomaly 0 with tail 1 to anomaly 1 with a tail above 0")

    def tail(self, anomaly: float) -> float:
        """The share of the training window that is at least this anomalous, in (0, 1]."""
        right = min(max(bisect_right(self.anomalies, anomaly), 1), len(self.anomalies) - 1)
        left = right - 1
        share = (anomaly - self.anomalies[left]) / (self.anomalies[right] - self.anomalies[left])
        return exp((1 - share) * log(self.tails[left]) + share * log(self.tails[right]))


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Risks from which on a transaction is MEDIUM and HIGH."""

    medium: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.medium <= self.high <= 1:
            raise ValueError("thresholds must satisfy 0 < medium <= high <= 1")

    def label(self, risk: float) -> RiskLabel:
        """The band; a threshold belongs to the band above it."""
        if risk >= self.high:
            return RiskLabel.HIGH
        return RiskLabel.MEDIUM if risk >= self.medium else RiskLabel.LOW


def evidence(tail: float) -> float:
    """What a tail probability in (0, 1] counts for, in [0, 1)."""
    return 1 - pow(tail, 1 / SHARPNESS)


def combined(forest_evidence: float, weights: Iterable[float]) -> float:
    """The noisy-or of the forest's evidence and the weights of the rules that fired, in [0, 1]."""
    return 1 - (1 - forest_evidence) * prod(1 - weight for weight in weights)
