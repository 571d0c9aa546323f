"""Learns from labels how to make one risk of features, forest and rules, where labels suffice and it pays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression as SklearnRegression
from sklearn.metrics import average_precision_score

from ml.boosting import BoostedTrees
from ml.export import exported_boosting
from ml.learned import LearnedCombiner, design
from ml.logistic import LogisticRegression, standardised
from ml.manifest import Mode
from shared.domain.risk import Combiner, Findings, NoisyOr

FEWEST_OF_A_CLASS = 25
"""Labelled frauds, and labelled legitimate transactions, below which nothing is learned from them."""

FEWEST_TO_VALIDATE = 5
"""Frauds on the validation days below which the champion stays without a contest."""

FEWEST_HITS = 20
"""Labelled transactions that a rule must have fired on before its weight is learned."""

VALIDATION_SHARE = 0.25
BOOSTED_MODELS = 3
"""A boosted combiner is the mean of so many, each of its own seed."""

LIMIT = 4.0
"""Standard deviations beyond which a feature counts no more in the logistic regression: its tails are heavy."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """The combiner to serve, how it came about, and each candidate's average precision on the validation days."""

    combiner: Combiner
    mode: Mode
    validation: dict[Mode, float]


@dataclass(frozen=True, eq=False)
class _Examples:
    """Labelled transactions in time order: rows of `design` (N, K), labels (N,) 0 or 1, days (N,)."""

    rows: NDArray[np.float64]
    labels: NDArray[np.float64]
    days: NDArray[np.datetime64]
    features: int

    def halves(self) -> "tuple[_Examples, _Examples]":
        """Those before the validation days, and those of them."""
        first = self.days[int(len(self.days) * (1 - VALIDATION_SHARE))]
        return self._where(self.days < first), self._where(self.days >= first)

    def _where(self, chosen: NDArray[np.bool_]) -> "_Examples":
        return _Examples(self.rows[chosen], self.labels[chosen], self.days[chosen], self.features)

    @property
    def fewest_of_a_class(self) -> int:
        """The number of frauds or of legitimate transactions, whichever is smaller."""
        frauds = int(self.labels.sum())
        return min(frauds, len(self.labels) - frauds)


def fit_combiner(
    findings: Findings,
    labels: NDArray[np.float64],
    days: NDArray[np.datetime64],
    *,
    unlabelled: NoisyOr,
    seed: int,
) -> Fitted:
    """The combiner that these N labelled transactions in time order teach; `unlabelled` where they do not suffice.

    `findings` holds arrays; `labels` (N,) 1 fraud, 0 legitimate, NaN unknown (left out); `days` (N,). `unlabelled`
    brings the rules' declared weights and the calibration of the anomalies.
    """
    known = ~np.isnan(labels)
    hits = np.asarray(findings.hits, dtype=np.float64)
    learned = hits[known].sum(axis=0) >= FEWEST_HITS
    rows = design(Findings(findings.rows, findings.anomalies, hits * learned), unlabelled.calibration)[known]
    examples = _Examples(rows, labels[known], days[known], rows.shape[1] - hits.shape[1] - 1)
    if examples.fewest_of_a_class < FEWEST_OF_A_CLASS:
        return Fitted(unlabelled, "unlabelled", {})
    mode, validation, slope, intercept = _contest(examples, seed)
    model = _logistic(examples) if mode == "logistic" else _boosted(examples, _seeds(seed))
    declared = np.where(learned, 0.0, unlabelled.weights)
    combiner = LearnedCombiner(unlabelled.calibration, model, declared, slope, intercept)
    return Fitted(combiner, mode, validation)


def choose(logistic: float, boosted: Sequence[float]) -> Mode:
    """The mode to serve, by average precision on the validation days.

    Boosted trees, one figure per seed, challenge the logistic regression: they win where their worst seed does.
    """
    return "boosted" if min(boosted) > logistic else "logistic"


def _seeds(seed: int) -> range:
    return range(seed, seed + BOOSTED_MODELS)


def _contest(examples: _Examples, seed: int) -> tuple[Mode, dict[Mode, float], float, float]:
    """The winner on the last days, the average precisions, and slope and intercept that calibrate the winner."""
    earlier, later = examples.halves()
    if min(earlier.fewest_of_a_class, later.fewest_of_a_class) < FEWEST_TO_VALIDATE:
        return "logistic", {}, 1.0, 0.0
    logistic = _logistic(earlier).scores(later.rows)
    boosted = [_boosted(earlier, [each]).scores(later.rows) for each in _seeds(seed)]
    precisions = [float(average_precision_score(later.labels, scores)) for scores in [logistic, *boosted]]
    mode = choose(precisions[0], precisions[1:])
    validation: dict[Mode, float] = {"logistic": precisions[0], "boosted": float(np.mean(precisions[1:]))}
    scores = logistic if mode == "logistic" else np.mean(boosted, axis=0)
    return mode, validation, *_calibrated(scores, later.labels)


def _calibrated(scores: NDArray[np.float64], labels: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and intercept that turn log odds into calibrated ones (Platt, 1999), where they keep the ranks."""
    model = SklearnRegression().fit(scores[:, None], labels)
    slope, intercept = float(model.coef_[0, 0]), float(model.intercept_[0])
    return (slope, intercept) if slope > 0 else (1.0, 0.0)


def _logistic(examples: _Examples) -> LogisticRegression:
    """A feature counts by its standardised value and by whether it is absent, rarity and hits as they are."""
    rows, width = examples.rows, examples.rows.shape[1]
    is_feature = np.arange(width) < examples.features
    known = ~np.isnan(rows).all(axis=0) & is_feature
    center, spread = np.zeros(width), np.ones(width)
    center[known], deviation = np.nanmean(rows[:, known], axis=0), np.nanstd(rows[:, known], axis=0)
    spread[known] = np.where(deviation > 0, deviation, 1.0)
    limit = np.where(is_feature, LIMIT, np.inf)
    columns = np.hstack([standardised(rows, center, spread, limit), np.isnan(rows)])
    model = SklearnRegression(max_iter=2000).fit(columns, examples.labels)
    coefficient, absent = model.coef_[0, :width], model.coef_[0, width:]
    return LogisticRegression(float(model.intercept_[0]), center, spread, limit, coefficient, absent)


def _boosted(examples: _Examples, seeds: Sequence[int]) -> BoostedTrees:
    parameters: dict[str, Any] = {
        "max_iter": 200, "learning_rate": 0.06, "max_depth": 6, "max_leaf_nodes": 31, "min_samples_leaf": 10,
        "l2_regularization": 1.0, "max_features": 0.5, "early_stopping": False,
    }  # fmt: skip
    models = [HistGradientBoostingClassifier(**parameters, random_state=seed) for seed in seeds]
    # scikit-learn cannot bin a column that is wholly absent; of one value, no tree asks it.
    rows = np.where(np.isnan(examples.rows).all(axis=0), 0.0, examples.rows)
    return exported_boosting([model.fit(rows, examples.labels) for model in models])
