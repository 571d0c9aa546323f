"""The logistic regression that a learned combiner serves."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class LogisticRegression:
    """`baseline + sum(coefficient * clip((x - center) / spread, -limit, limit) + absent * isnan(x))`.

    All arrays have one entry per column (K,); an absent value counts for `absent` alone. Raises ValueError where
    they do not fit together or hold anything that is no number.
    """

    baseline: float
    center: NDArray[np.float64]
    spread: NDArray[np.float64]
    limit: NDArray[np.float64]
    coefficient: NDArray[np.float64]
    absent: NDArray[np.float64]

    def __post_init__(self) -> None:
        arrays = list(self.arrays().values())
        if len({array.shape for array in arrays}) != 1 or np.isnan(arrays).any() or not (self.spread > 0).all():
            raise ValueError("the columns of the logistic regression do not fit together")

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """The arrays by name."""
        return {name: getattr(self, name) for name in ("center", "spread", "limit", "coefficient", "absent")}

    def scores(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """The log odds (N,) of rows (N, K), NaN where absent."""
        total: NDArray[np.float64] = self.contributions(rows).sum(axis=1)
        return self.baseline + total

    def contributions(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each column's deviation from its center adds to the log odds (N, K)."""
        deviation = standardised(rows, self.center, self.spread, self.limit)
        return np.where(np.isnan(rows), self.absent, self.coefficient * deviation)


def standardised(
    rows: NDArray[np.float64],
    center: NDArray[np.float64],
    spread: NDArray[np.float64],
    limit: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Rows (N, K) as deviations from `center` in units of `spread`, at most `limit` either way; 0 where absent."""
    deviation: NDArray[np.float64] = ((rows - center) / spread).clip(-limit, limit)
    return np.where(np.isnan(rows), 0.0, deviation)
