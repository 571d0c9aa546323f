"""Turns trees that scikit-learn grew into the plain arrays that the scorer serves."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.ensemble import IsolationForest as SklearnForest
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.tree import ExtraTreeRegressor

from ml.boosting import LARGEST, BoostedTrees
from ml.forest import IsolationForest
from ml.learned import LearnedCombiner
from ml.trees import CompleteTrees
from shared.domain.features import FEATURES, FOREST_FEATURES

FOREST_COLUMNS = tuple(list(FEATURES).index(name) for name in FOREST_FEATURES)
"""Where the forest's features stand in a row of FEATURES."""

_LEAF = -1

Arrays = dict[str, Any]


def exported(model: SklearnForest, fill: Sequence[float], columns: Sequence[int] | None = None) -> IsolationForest:
    """The same forest over whole rows; `fill` holds one value per column of a row for absent data.

    `columns` are those of a row that the forest was grown on; without them it was grown on all.
    """
    grown_on = np.arange(len(fill)) if columns is None else np.asarray(columns)
    nodes = [_forest_nodes(tree, grown_on) for tree in model.estimators_]
    return IsolationForest(
        trees=_complete(nodes, max(tree.get_depth() for tree in model.estimators_), len(fill)),
        usual_path_length=float(average_path_length(np.array([model.max_samples_]))[0]),
        fill=np.asarray(fill, dtype=np.float64),
    )


def exported_boosting(models: Sequence[HistGradientBoostingClassifier]) -> BoostedTrees:
    """The mean of these models of two classes without categorical features, trained on the same columns."""
    predictors = [predictor for model in models for (predictor,) in model._predictors]
    width = models[0].n_features_in_
    nodes = [_boosted_nodes(predictor, width, 1 / len(models)) for predictor in predictors]
    return BoostedTrees(
        trees=_complete(nodes, max(predictor.get_max_depth() for predictor in predictors), 2 * width),
        baseline=float(np.mean([model._baseline_prediction for model in models])),
    )


def average_path_length(samples: NDArray[np.integer]) -> NDArray[np.float64]:
    """c(n): the mean path length of an unsuccessful search in a binary tree of n samples (Liu et al., 2008)."""
    n = samples.astype(np.float64)
    large = np.maximum(n, 3)
    formula = 2 * (np.log(large - 1) + np.euler_gamma) - 2 * (large - 1) / large
    return np.where(n <= 1, 0.0, np.where(n == 2, 1.0, formula))


def as_npz(forest: IsolationForest) -> bytes:
    """The content of `forest.npz`; the same forest gives the same bytes."""
    return _packed(_tree_arrays(forest.trees) | {"usual_path_length": np.float64(forest.usual_path_length)})


def combiner_as_npz(combiner: LearnedCombiner) -> bytes:
    """The content of `combiner.npz`."""
    model = combiner.model
    arrays = _tree_arrays(model.trees) if isinstance(model, BoostedTrees) else model.arrays()
    return _packed(arrays | {"declared": combiner.declared, "baseline": np.float64(model.baseline)})


def _tree_arrays(trees: CompleteTrees) -> Arrays:
    return {"feature": trees.feature, "threshold": trees.threshold, "usual": trees.usual, "leaf": trees.leaf}


def _packed(arrays: Arrays) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()


@dataclass(frozen=True, eq=False)
class _Nodes:
    """One tree as it was grown, parents before children: `left` is _LEAF at leaves, `count` training rows.

    `value` is the answer at leaves; elsewhere it is replaced by the mean of what lies below.
    """

    left: NDArray[np.intp]
    right: NDArray[np.intp]
    feature: NDArray[np.intp]
    threshold: NDArray[np.float64]
    count: NDArray[np.float64]
    value: NDArray[np.float64]

    def __post_init__(self) -> None:
        for node in reversed(np.flatnonzero(self.left != _LEAF)):
            below = [self.left[node], self.right[node]]
            self.value[node] = np.average(self.value[below], weights=self.count[below])


def _forest_nodes(model: ExtraTreeRegressor, columns: NDArray[np.intp]) -> _Nodes:
    tree = model.tree_
    return _Nodes(
        left=tree.children_left,
        right=tree.children_right,
        feature=columns[np.maximum(tree.feature, 0)],
        threshold=tree.threshold,
        count=tree.n_node_samples.astype(np.float64),
        value=tree.compute_node_depths() - 1 + average_path_length(tree.n_node_samples),
    )


def _boosted_nodes(predictor: TreePredictor, width: int, share: float) -> _Nodes:
    """Absent values keep left in the first `width` columns of a row and right in the second."""
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    return _Nodes(
        left=np.where(leaf, _LEAF, nodes["left"].astype(np.intp)),
        right=nodes["right"].astype(np.intp),
        feature=nodes["feature_idx"].astype(np.intp) + np.where(nodes["missing_go_to_left"], 0, width),
        threshold=np.minimum(nodes["num_threshold"], LARGEST),
        count=nodes["count"].astype(np.float64),
        value=nodes["value"] * share,
    )


def _complete(grown: Sequence[_Nodes], depth: int, width: int) -> CompleteTrees:
    """All trees as complete ones: 2 ** depth leaves each."""
    trees = [_levels(nodes, depth) for nodes in grown]
    features, thresholds, usual, leaves = zip(*trees, strict=True)
    return CompleteTrees(
        feature=np.array(features, dtype=np.uint8 if width <= 256 else np.uint16),
        threshold=np.array(thresholds),
        usual=np.array(usual, dtype=np.float32),
        leaf=np.array(leaves),
        width=width,
    )


def _levels(nodes: _Nodes, depth: int) -> tuple[NDArray[np.generic], ...]:
    """Features, thresholds, usual answers and leaves, level by level; a leaf is carried down on the left."""
    at, levels = np.zeros(1, dtype=np.intp), []
    for _ in range(depth):
        leaf = nodes.left[at] == _LEAF
        levels.append((np.where(leaf, 0, nodes.feature[at]), np.where(leaf, np.inf, nodes.threshold[at]), at))
        children = [np.where(leaf, at, nodes.left[at]), np.where(leaf, at, nodes.right[at])]
        at = np.column_stack(children).ravel()
    features, thresholds, places = (np.concatenate(parts) for parts in zip(*levels, strict=True))
    return features, thresholds, nodes.value[places], nodes.value[at]
