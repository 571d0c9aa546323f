"""Risk: features, forest and rules as one number in [0, 1], and how far each of them raised it.

Without labels (`NoisyOr`) the forest's anomaly becomes the share of the training window that was at least as
anomalous (its tail), the tail becomes evidence `1 - tail ** (1/3)`, and evidence and the weights of the rules that
fired are combined by noisy-or: `risk = 1 - (1 - evidence) * product(1 - weight)`. So a rule of weight w counts as
much as a tail of `(1 - w) ** 3`, every hit and every bit of anomaly raises the risk, and nothing reaches 1.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from math import exp, log, log1p, nextafter, pow, prod
from typing import Protocol

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
        return exp(-self.rarity(anomaly))

    def rarity(self, anomaly: float) -> float:
        """-log(tail): 0 for the most ordinary, log(100) where one of a hundred is as anomalous."""
        right = min(max(bisect_right(self.anomalies, anomaly), 1), len(self.anomalies) - 1)
        left = right - 1
        share = (anomaly - self.anomalies[left]) / (self.anomalies[right] - self.anomalies[left])
        return -((1 - share) * log(self.tails[left]) + share * log(self.tails[right]))


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


Table = Collection[Collection[float]]
"""Rows of numbers: sequences of tuples, or an array."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a batch of N transactions shows to F features, the forest and R rules.

    `rows` (N, F) as `feature_row` gives them, NaN where absent; `anomalies` (N,); `hits` (N, R), true where a rule
    fired.
    """

    rows: Table
    anomalies: Collection[float]
    hits: Table


@dataclass(frozen=True, slots=True)
class Contributions:
    """How far each part raised one risk (below 0: lowered it), in a unit in which a combiner's parts add up.

    `rules` has one entry per rule, in their order; `features` one per entry of FEATURES, or none where the
    combiner sees features through the forest only.
    """

    forest: float
    rules: tuple[float, ...]
    features: tuple[float, ...] = ()

    def sharing(self, total: float) -> "Contributions":
        """What raised the risk, as its share of `total`; what lowered it counts for 0."""
        raised = sum(part for part in (self.forest, *self.rules, *self.features) if part > 0)
        unit = total / raised if raised else 0.0
        rules, features = [tuple([max(part, 0.0) * unit for part in each]) for each in (self.rules, self.features)]
        return Contributions(max(self.forest, 0.0) * unit, rules, features)

    def with_rules(self, other: "Contributions") -> "Contributions":
        """The forest's and the rules' parts of both, in the same unit."""
        rules = [one + more for one, more in zip(self.rules, other.rules, strict=True)]
        return Contributions(self.forest + other.forest, tuple(rules), self.features)


class Combiner(Protocol):
    """Makes one risk of what features, forest and rules say."""

    def risks(self, findings: Findings) -> list[float]:
        """N risks in [0, 1]."""

    def contributions(self, findings: Findings) -> list[Contributions]:
        """What made each of the N risks."""


@dataclass(frozen=True, slots=True)
class NoisyOr:
    """The combiner where no labels taught a better one: `weights` in (0, 1), one per rule."""

    calibration: Calibration
    weights: tuple[float, ...]

    def risks(self, findings: Findings) -> list[float]:
        """As the protocol."""
        pairs = zip(findings.anomalies, findings.hits, strict=True)
        return [combined(self._evidence(anomaly), self._fired(hits)) for anomaly, hits in pairs]

    def contributions(self, findings: Findings) -> list[Contributions]:
        """As the protocol; the unit is `doubt_removed`."""
        pairs = zip(findings.anomalies, findings.hits, strict=True)
        return [
            Contributions(doubt_removed(self._evidence(anomaly)), rule_contributions(self.weights, hits))
            for anomaly, hits in pairs
        ]

    def _evidence(self, anomaly: float) -> float:
        return evidence(self.calibration.tail(anomaly))

    def _fired(self, hits: Collection[float]) -> list[float]:
        return [weight for weight, fired in zip(self.weights, hits, strict=True) if fired]


@dataclass(frozen=True, slots=True)
class EitherCombiner:
    """The combiner where few labels taught one: `risk = 1 - (1 - learned) * (1 - unlabelled)`.

    Few labels know few kinds of fraud; what they never saw stays as risky as without labels.
    """

    learned: Combiner
    unlabelled: NoisyOr

    def risks(self, findings: Findings) -> list[float]:
        """As the protocol."""
        pairs = zip(self.learned.risks(findings), self.unlabelled.risks(findings), strict=True)
        return [combined(learned, [unlabelled]) for learned, unlabelled in pairs]

    def contributions(self, findings: Findings) -> list[Contributions]:
        """As the protocol; the unit is `doubt_removed`, which what `learned` was raised by shares."""
        removed = [doubt_removed(min(risk, _SURE)) for risk in self.learned.risks(findings)]
        learned, unlabelled = self.learned.contributions(findings), self.unlabelled.contributions(findings)
        parts = zip(learned, removed, unlabelled, strict=True)
        return [one.sharing(total).with_rules(other) for one, total, other in parts]


_SURE = nextafter(1, 0)
"""The largest risk that leaves any doubt."""


def rule_contributions(weights: Iterable[float], hits: Iterable[float]) -> tuple[float, ...]:
    """What each rule contributes to a noisy-or, 0 where it did not fire."""
    pairs = zip(weights, hits, strict=True)
    return tuple([doubt_removed(weight) if fired else 0.0 for weight, fired in pairs])


def doubt_removed(weight: float) -> float:
    """-log(1 - weight) of a weight in [0, 1): weights combined by noisy-or add up in it."""
    return -log1p(-weight)


def evidence(tail: float) -> float:
    """What a tail probability in (0, 1] counts for, in [0, 1)."""
    return 1 - pow(tail, 1 / SHARPNESS)


def combined(forest_evidence: float, weights: Iterable[float]) -> float:
    """The noisy-or of the forest's evidence and the weights of the rules that fired, in [0, 1]."""
    return 1 - (1 - forest_evidence) * prod(1 - weight for weight in weights)
