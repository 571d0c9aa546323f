"""Turns a trained scikit-learn isolation forest into the plain arrays that the scorer serves."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest as SklearnForest
from sklearn.tree import ExtraTreeRegressor

from ml.forest import IsolationForest
from shared.domain.features import FEATURES, FOREST_FEATURES

FOREST_COLUMNS = tuple(list(FEATURES).index(name) for name in FOREST_FEATURES)
"""Where the forest's features stand in a row of FEATURES."""

_LEAF = -1


def exported(model: SklearnForest, fill: Sequence[float], columns: Sequence[int] | None = None) -> IsolationForest:
    """The same forest as complete trees; `fill` holds one value per column of a row for absent data.

    `columns` are those of a row that the forest was grown on; without them it was grown on all.
    """
    depth = max(tree.get_depth() for tree in model.estimators_)
    trees = [_complete(tree, depth) for tree in model.estimators_]
    features = np.array([feature for feature, _, _ in trees])
    return IsolationForest(
        feature=np.array(columns or range(len(fill)), dtype=np.uint8)[features],
        threshold=np.array([threshold for _, threshold, _ in trees]),
        path_length=np.array([path_length for _, _, path_length in trees]),
        usual_path_length=float(average_path_length(np.array([model.max_samples_]))[0]),
        fill=np.asarray(fill, dtype=np.float64),
    )


def average_path_length(samples: NDArray[np.integer]) -> NDArray[np.float64]:
    """c(n): the mean path length of an unsuccessful search in a binary tree of n samples (Liu et al., 2008)."""
    n = samples.astype(np.float64)
    large = np.maximum(n, 3)
    formula = 2 * (np.log(large - 1) + np.euler_gamma) - 2 * (large - 1) / large
    return np.where(n <= 1, 0.0, np.where(n == 2, 1.0, formula))


def as_npz(forest: IsolationForest) -> bytes:
    """The arrays of `forest.npz`; the same forest gives the same bytes."""
    file = io.BytesIO()
    np.savez_compressed(
        file,
        feature=forest.feature,
        threshold=forest.threshold,
        path_length=forest.path_length,
        usual_path_length=np.float64(forest.usual_path_length),
    )
    return file.getvalue()


def _complete(
    model: ExtraTreeRegressor, depth: int
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Features, thresholds and path lengths of one tree, level by level; a leaf is carried down on the left."""
    tree = model.tree_
    nodes, features, thresholds = np.zeros(1, dtype=np.intp), [], []
    length = np.zeros(1)
    for _ in range(depth):
        leaf = tree.children_left[nodes] == _LEAF
        features.append(np.where(leaf, 0, tree.feature[nodes]))
        thresholds.append(np.where(leaf, np.inf, tree.threshold[nodes]))
        left = np.where(leaf, nodes, tree.children_left[nodes])
        right = np.where(leaf, nodes, tree.children_right[nodes])
        nodes = np.column_stack([left, right]).ravel()
        length = np.repeat(length + ~leaf, 2)
    path_length = length + average_path_length(tree.n_node_samples[nodes])
    return np.concatenate(features), np.concatenate(thresholds), path_length
