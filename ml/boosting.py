"""The boosted trees that a learned combiner serves: scored with numpy alone, as scikit-learn scores them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.trees import CompleteTrees

LARGEST = float(np.finfo(np.float64).max)
"""Numbers end here, so that infinity is free to stand for what is absent."""


@dataclass(frozen=True, eq=False)
class BoostedTrees:
    """Trees over rows of K columns, given twice: what is absent is -inf in the first and inf in the second.

    So a tree that sends absent values left asks the first, one that sends them right the second.
    """

    trees: CompleteTrees
    baseline: float

    def scores(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """The log odds (N,) of rows (N, K), NaN where absent."""
        return self.baseline + self.trees.sums(_twice(rows))

    def contributions(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each column of these few rows adds to their log odds (N, K)."""
        halves = self.trees.attributions(_twice(rows)).reshape(len(rows), 2, rows.shape[1])
        both: NDArray[np.float64] = halves.sum(axis=1)
        return both


def _twice(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    finite, absent = rows.clip(-LARGEST, LARGEST), np.isnan(rows)
    return np.hstack([np.where(absent, -np.inf, finite), np.where(absent, np.inf, finite)])
