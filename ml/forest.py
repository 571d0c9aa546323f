"""The forest that the scorer serves: an isolation forest as plain arrays, scored with numpy alone.

Every tree is stored as a complete binary tree of the forest's depth, so that a row walks all trees at once. Below
a leaf the thresholds are infinite: the row keeps left, and the leaf's path length waits at the bottom.
"""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.manifest import FOREST, Manifest, checksum, read_manifest
from shared.domain.errors import ModelInvalid
from shared.domain.features import FEATURES
from shared.domain.risk import Calibration, Thresholds
from shared.domain.scoring import Scorer
from shared.rules_file import SHIPPED_RULES, load_rules

ROWS_AT_ONCE = 512
"""Bounds the memory of a batch: rows x trees x a few bytes."""


@dataclass(frozen=True, eq=False)
class IsolationForest:
    """T complete trees of depth D over F features.

    `feature` (T, 2**D - 1) int, `threshold` (T, 2**D - 1) float64, `path_length` (T, 2**D) float64 with the
    correction for unsplit leaves; node i has the children 2i + 1 (at most the threshold) and 2i + 2.
    `usual_path_length` is c(max_samples) of Liu, Ting and Zhou (2008); `fill` (F,) replaces NaN.
    """

    feature: NDArray[Any]
    threshold: NDArray[np.float64]
    path_length: NDArray[np.float64]
    usual_path_length: float
    fill: NDArray[np.float64]

    def __post_init__(self) -> None:
        trees, nodes = self.feature.shape
        fits = self.threshold.shape == (trees, nodes) and self.path_length.shape == (trees, nodes + 1)
        if not fits or trees == 0 or nodes & (nodes + 1):
            raise ValueError("the arrays are not complete trees of one depth")
        if self.feature.min(initial=0) < 0 or self.feature.max(initial=0) >= len(self.fill):
            raise ValueError("a tree asks for a feature that there is not")

    def anomaly(self, rows: Sequence[Sequence[float]] | NDArray[Any]) -> list[float]:
        """Anomaly score in (0, 1) of each row of F features, higher is stranger; NaN means absent."""
        filled = self.filled(np.asarray(rows, dtype=np.float64).reshape(-1, len(self.fill)))
        parts = [self._scores(filled[at : at + ROWS_AT_ONCE]) for at in range(0, len(filled), ROWS_AT_ONCE)]
        return [score for part in parts for score in part.tolist()]

    def filled(self, rows: NDArray[np.float64]) -> NDArray[np.float32]:
        """Rows with absent values filled, in the precision that scikit-learn compares in."""
        return np.where(np.isnan(rows), self.fill, rows).astype(np.float32)

    def _scores(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        # Flat `take` is three times as fast as indexing by (tree, node).
        trees = len(self.feature)
        first_cell = (np.arange(len(rows)) * rows.shape[1])[:, None]
        at = np.arange(trees)
        for feature, threshold in self._levels:
            above = rows.take(first_cell + feature.take(at)) > threshold.take(at)
            at = 2 * at + above
        depth = self.path_length.take(at).sum(axis=1)
        scores: NDArray[np.float64] = 2 ** (-depth / (trees * self.usual_path_length))
        return scores

    @cached_property
    def _levels(self) -> list[tuple[NDArray[np.intp], NDArray[np.float64]]]:
        """Features and thresholds of each level, all trees in one row: what stands at `i` has its children at
        `2 * i` and `2 * i + 1` of the next level, and at the end its path length."""
        depth = (self.feature.shape[1] + 1).bit_length() - 1
        levels = [slice(2**level - 1, 2 ** (level + 1) - 1) for level in range(depth)]
        return [(self.feature[:, at].astype(np.intp).ravel(), self.threshold[:, at].ravel()) for at in levels]


def load_scorer(folder: Path) -> Scorer:
    """The scorer of a model folder; raises ModelInvalid where it is missing, altered or made for other code."""
    manifest = read_manifest(folder)
    if manifest.features != tuple(FEATURES):
        raise ModelInvalid(
            f"The model in {folder} was trained on other features ({', '.join(manifest.features)}) than this "
            f"version computes ({', '.join(FEATURES)}). Train one: python -m ml train --data FILE --out FOLDER."
        )
    try:
        return Scorer(
            forest=_read_forest(_verified(folder / FOREST, manifest), manifest),
            rules=load_rules(SHIPPED_RULES),
            calibration=Calibration(manifest.calibration.anomalies, manifest.calibration.tails),
            thresholds=Thresholds(manifest.medium.threshold, manifest.high.threshold),
            model_version=manifest.model_version,
        )
    except (ValueError, KeyError, TypeError, OSError, zipfile.BadZipFile) as error:
        raise ModelInvalid(f"The model in {folder} makes no sense: {error}. Take a fresh copy of it.") from error


def _verified(path: Path, manifest: Manifest) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelInvalid(f"{path} cannot be read ({error.strerror}). Take a fresh copy of the model.") from error
    if manifest.sha256.get(path.name) != checksum(content):
        raise ModelInvalid(f"{path} is not the file its manifest names (SHA-256). Take a fresh copy of the model.")
    return content


def _read_forest(content: bytes, manifest: Manifest) -> IsolationForest:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return IsolationForest(
            feature=arrays["feature"],
            threshold=arrays["threshold"],
            path_length=arrays["path_length"],
            usual_path_length=float(arrays["usual_path_length"]),
            fill=np.asarray(manifest.fill_values, dtype=np.float64),
        )
