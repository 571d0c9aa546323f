"""What learns from labelled transactions: a logistic regression, and boosted trees."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression as SklearnRegression

from ml.boosting import BoostedTrees
from ml.export import exported_boosting
from ml.learned import Model
from ml.logistic import LogisticRegression, standardised

LIMIT = 4.0
"""Standard deviations beyond which a feature counts no more in the logistic regression: its tails are heavy."""

PARAMETERS: dict[str, Any] = {
    "max_iter": 200, "learning_rate": 0.06, "max_depth": 6, "max_leaf_nodes": 31, "min_samples_leaf": 10,
    "l2_regularization": 1.0, "max_features": 0.5, "early_stopping": False,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Examples:
    """Labelled transactions in time order: rows of `design` (N, K), labels (N,) 0 or 1; the number of features."""

    rows: NDArray[np.float64]
    labels: NDArray[np.float64]
    features: int

    def without(self, part: NDArray[np.int64]) -> "Examples":
        """All but those at these places."""
        return Examples(np.delete(self.rows, part, axis=0), np.delete(self.labels, part), self.features)

    def at(self, places: NDArray[np.int64]) -> "Examples":
        """Those at these places, which are put in order."""
        ordered = np.sort(places)
        return Examples(self.rows[ordered], self.labels[ordered], self.features)

    @property
    def fewest_of_a_class(self) -> int:
        """The number of frauds or of legitimate transactions, whichever is smaller."""
        frauds = int(self.labels.sum())
        return min(frauds, len(self.labels) - frauds)


Learner = Callable[[Examples], Model]


def logistic(examples: Examples) -> LogisticRegression:
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


def boosted(examples: Examples, seeds: Sequence[int]) -> BoostedTrees:
    """The mean of as many boosted models as seeds."""
    models = [HistGradientBoostingClassifier(**PARAMETERS, random_state=seed) for seed in seeds]
    # scikit-learn cannot bin a column that is wholly absent; of one value, no tree asks it.
    rows = np.where(np.isnan(examples.rows).all(axis=0), 0.0, examples.rows)
    return exported_boosting([model.fit(rows, examples.labels) for model in models])
