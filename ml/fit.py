"""Fits a model to a training window: forest, calibration, what combines it with the rules, and thresholds."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest as SklearnForest

from ml.calibration import Targets, band, knots
from ml.combiner import Fitted, fit_combiner
from ml.dataset import Dataset
from ml.export import FOREST_COLUMNS, exported
from ml.forest import IsolationForest
from ml.labels import DailyRisk
from ml.manifest import Band, Knots
from shared.command_line import UserError
from shared.domain.risk import Calibration, Findings, NoisyOr
from shared.domain.rules import RuleSet

FEWEST = 1000
"""Transactions below which quantiles of half a percent mean nothing."""


@dataclass(frozen=True, slots=True)
class Growth:
    """How a forest is grown, and how many transactions are to be HIGH and MEDIUM."""

    trees: int = 200
    max_samples: int = 256
    seed: int = 7
    targets: Targets = field(default_factory=Targets)

    def __post_init__(self) -> None:
        if self.trees < 1 or self.max_samples < 2:
            raise UserError("A forest needs at least 1 tree (--trees) of at least 2 transactions (--max-samples).")


@dataclass(frozen=True, slots=True)
class Model:
    """A forest as scikit-learn holds it (kept for audit) and as it is served, and how its findings become risk."""

    sklearn: SklearnForest
    forest: IsolationForest
    knots: Knots
    fitted: Fitted
    medium: Band
    high: Band

    def anomalies(self, dataset: Dataset) -> NDArray[np.float64]:
        """The anomaly (N,) of each transaction."""
        return np.array(self.forest.anomaly(dataset.features))

    def risks(self, dataset: Dataset) -> NDArray[np.float64]:
        """The risk (N,) of each transaction."""
        return risks(self.fitted, dataset, self.anomalies(dataset))


def fit(window: Dataset, labels: NDArray[np.float64], rules: RuleSet, growth: Growth) -> Model:
    """The model that the window teaches with these known labels (N,), NaN where unknown.

    Raises UserError where the window holds too few transactions.
    """
    sklearn, forest = grow(window, growth)
    anomalies = np.array(forest.anomaly(window.features))
    curve = knots(anomalies)
    findings = Findings(window.features, anomalies, window.hits)
    fitted = fit_combiner(findings, labels, unlabelled=noisy_or(curve, rules), seed=growth.seed)
    high, medium = growth.targets.rates(len(window) / len(np.unique(window.day)))
    return Model(sklearn, forest, curve, fitted, band(fitted.unseen, medium), band(fitted.unseen, high))


def grow(window: Dataset, growth: Growth) -> tuple[SklearnForest, IsolationForest]:
    """An isolation forest on the window, as scikit-learn holds it and as plain arrays. Raises as `fit`."""
    check_window(window, growth)
    fill = medians(window.features)
    filled = np.where(np.isnan(window.features), fill, window.features).astype(np.float32)
    sklearn = SklearnForest(n_estimators=growth.trees, max_samples=growth.max_samples, random_state=growth.seed)
    sklearn.fit(filled[:, FOREST_COLUMNS])
    return sklearn, exported(sklearn, fill.tolist(), FOREST_COLUMNS)


def check_window(window: Dataset, growth: Growth) -> None:
    """Raise UserError where the window holds too few transactions for a forest."""
    fewest = max(FEWEST, growth.max_samples)
    if len(window) < fewest:
        raise UserError(
            f"The training days hold {len(window)} transactions; a forest needs at least {fewest}. Give a longer "
            "file or other days."
        )


def noisy_or(curve: Knots, rules: RuleSet) -> NoisyOr:
    """What combines forest and rules without labels."""
    return NoisyOr(Calibration(curve.anomalies, curve.tails), tuple(rule.weight for rule in rules.active))


def risks(fitted: Fitted, dataset: Dataset, anomalies: NDArray[np.float64]) -> NDArray[np.float64]:
    """The risk (N,) of each transaction with these anomalies (N,)."""
    return np.array(fitted.combiner.risks(Findings(dataset.features, anomalies, dataset.hits)))


def reviewer(past: Dataset, rules: RuleSet, growth: Growth) -> DailyRisk:
    """What ranks transactions when only these, unlabelled, are known: by rules alone where they are few."""
    if len(past) < max(FEWEST, growth.max_samples):
        return lambda day: 1 - np.prod(1 - day.hits * [rule.weight for rule in rules.active], axis=1)
    return fit(past, np.full(len(past), np.nan), rules, growth).risks


def medians(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median of each column (N, F) where it is known; 0 for a column that is wholly absent."""
    known = ~np.isnan(features)
    return np.array([np.median(f[k]) if k.any() else 0.0 for f, k in zip(features.T, known.T, strict=True)])
