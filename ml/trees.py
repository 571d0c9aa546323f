"""Decision trees as plain arrays, walked with numpy alone, many rows and all trees at once.

Every tree is stored as a complete binary tree of one depth. Below a leaf the thresholds are infinite: the row
keeps left, and the leaf's value waits at the bottom.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS_AT_ONCE = 512
"""Bounds the memory of a batch: rows x trees x a few bytes."""

Places = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class CompleteTrees:
    """T complete trees of depth D over rows of `width` columns; raises ValueError where the arrays do not fit.

    `feature` (T, 2**D - 1) int and `threshold` (T, 2**D - 1): node i has the children 2i + 1 (at most the
    threshold) and 2i + 2. `leaf` (T, 2**D) is what a tree answers; `usual` (T, 2**D - 1) its mean over the
    training rows that pass a node.
    """

    feature: NDArray[Any]
    threshold: NDArray[np.float64]
    usual: NDArray[np.floating[Any]]
    leaf: NDArray[np.float64]
    width: int

    def __post_init__(self) -> None:
        trees, nodes = self.feature.shape
        fits = self.threshold.shape == self.usual.shape == (trees, nodes) and self.leaf.shape == (trees, nodes + 1)
        if not fits or trees == 0 or nodes & (nodes + 1):
            raise ValueError("the arrays are not complete trees of one depth")
        if self.feature.min(initial=0) < 0 or self.feature.max(initial=0) >= self.width:
            raise ValueError("a tree asks for a feature that there is not")

    def sums(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """The sum (N,) of all trees' answers to each of the rows (N, width), which hold no NaN."""
        parts = [self._sums(rows[at : at + ROWS_AT_ONCE]) for at in range(0, len(rows), ROWS_AT_ONCE)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def attributions(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """What each column (N, width) of these few rows adds to their sums, by the trees' own paths.

        Each step down adds, to the column that it asks, the change of the usual answer (Saabas, 2014); a row's
        attributions and the trees' usual answers add up to its sum.
        """
        found = np.zeros(rows.size)
        for (cells, at, child), (before, after) in zip(self._steps(rows), pairwise(self._answers), strict=True):
            change = after.take(child) - before.take(at)
            found += np.bincount(cells.ravel(), change.ravel(), rows.size)
        return found.reshape(rows.shape)

    def _sums(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        at = self._roots(rows)
        for _, _, at in self._steps(rows):  # noqa: B007 (the last step's children are the leaves)
            pass
        return self.leaf.take(at).sum(axis=1)

    def _steps(self, rows: NDArray[Any]) -> Iterator[tuple[Places, Places, Places]]:
        """Level by level, for all rows and trees: the cell of `rows` asked, the place there, and the child's."""
        # Flat `take` is three times as fast as indexing by (tree, node).
        first_cell = (np.arange(len(rows)) * rows.shape[1])[:, None]
        at = self._roots(rows)
        for feature, threshold in self._levels:
            cells = first_cell + feature.take(at)
            child = 2 * at + (rows.take(cells) > threshold.take(at))
            yield cells, at, child
            at = child

    def _roots(self, rows: NDArray[Any]) -> Places:
        return np.broadcast_to(np.arange(len(self.feature)), (len(rows), len(self.feature)))

    @cached_property
    def _levels(self) -> list[tuple[Places, NDArray[np.float64]]]:
        """Features and thresholds of each level, all trees in one row: what stands at `i` has its children at
        `2 * i` and `2 * i + 1` of the next level, and at the end its leaf."""
        columns = [self.feature[:, at].astype(np.intp).ravel() for at in self._slices]
        return list(zip(columns, [self.threshold[:, at].ravel() for at in self._slices], strict=True))

    @cached_property
    def _answers(self) -> list[NDArray[np.float64]]:
        """The usual answers of each level, and the leaves."""
        usual = [self.usual[:, at].astype(np.float64).ravel() for at in self._slices]
        return [*usual, self.leaf.ravel()]

    @property
    def _slices(self) -> list[slice]:
        depth = (self.feature.shape[1] + 1).bit_length() - 1
        return [slice(2**level - 1, 2 ** (level + 1) - 1) for level in range(depth)]
