"""What the scorer serves: the isolation forest as plain arrays, and the model folder that holds it."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.boosting import BoostedTrees
from ml.learned import LearnedCombiner
from ml.logistic import LogisticRegression
from ml.manifest import BOTH, COMBINER, FOREST, RULES, SIGNALS, Manifest, checksum, read_manifest
from ml.trees import CompleteTrees
from shared.domain.errors import ModelInvalid
from shared.domain.features import FEATURES
from shared.domain.risk import Calibration, Combiner, EitherCombiner, NoisyOr, Thresholds
from shared.domain.rules import RuleSet
from shared.domain.scoring import Scorer
from shared.messages.signals_json import signals_from
from shared.rules_file import parsed_rules


@dataclass(frozen=True, eq=False)
class IsolationForest:
    """Trees over rows of F features; a tree's answer is its path length, corrected for unsplit leaves.

    `usual_path_length` is c(max_samples) of Liu, Ting and Zhou (2008); `fill` (F,) replaces NaN.
    """

    trees: CompleteTrees
    usual_path_length: float
    fill: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.fill.shape != (self.trees.width,) or not self.usual_path_length > 0:
            raise ValueError("the forest needs one fill value per feature, and a usual path length")

    def anomaly(self, rows: Sequence[Sequence[float]] | NDArray[Any]) -> list[float]:
        """Anomaly score in (0, 1) of each row of F features, higher is stranger; NaN means absent."""
        depths = self.trees.sums(self.filled(rows)) / len(self.trees.feature)
        scores: list[float] = (2 ** (-depths / self.usual_path_length)).tolist()
        return scores

    def contributions(self, rows: Sequence[Sequence[float]] | NDArray[Any]) -> list[tuple[float, ...]]:
        """By how much each feature shortened the mean path of each of these few rows (below 0: lengthened it)."""
        shortened = -self.trees.attributions(self.filled(rows)) / len(self.trees.feature)
        return [tuple(row) for row in shortened.tolist()]

    def filled(self, rows: Sequence[Sequence[float]] | NDArray[Any]) -> NDArray[np.float32]:
        """Rows with absent values filled, in the precision that scikit-learn compares in."""
        given = np.asarray(rows, dtype=np.float64).reshape(-1, len(self.fill))
        return np.where(np.isnan(given), self.fill, given).astype(np.float32)


def load_scorer(folder: Path) -> Scorer:
    """The scorer of a model folder; raises ModelInvalid where it is missing, altered or made for other code."""
    manifest = read_manifest(folder)
    if manifest.features != tuple(FEATURES):
        raise ModelInvalid(
            f"The model in {folder} was trained on other features ({', '.join(manifest.features)}) than this "
            f"version computes ({', '.join(FEATURES)}). Train one: python -m ml train --data FILE --out FOLDER."
        )
    files = {name: _verified(folder / name, manifest) for name in manifest.files}
    try:
        return _scorer(files, manifest, folder)
    except (ValueError, KeyError, TypeError, AttributeError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ModelInvalid(f"The model in {folder} makes no sense: {error}. Take a fresh copy of it.") from error


def _scorer(files: Mapping[str, bytes], manifest: Manifest, folder: Path) -> Scorer:
    rules = parsed_rules(files[RULES], str(folder / RULES))
    calibration = Calibration(manifest.calibration.anomalies, manifest.calibration.tails)
    return Scorer(
        forest=_forest(files[FOREST], manifest),
        rules=rules,
        combiner=_combiner(files.get(COMBINER), manifest, rules, calibration),
        calibration=calibration,
        thresholds=Thresholds(manifest.medium.threshold, manifest.high.threshold),
        model_version=manifest.model_version,
        signals=signals_from(json.loads(files[SIGNALS])),
    )


def _verified(path: Path, manifest: Manifest) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelInvalid(f"{path} cannot be read ({error.strerror}). Take a fresh copy of the model.") from error
    if manifest.sha256.get(path.name) != checksum(content):
        raise ModelInvalid(f"{path} is not the file its manifest names (SHA-256). Take a fresh copy of the model.")
    return content


def _forest(content: bytes, manifest: Manifest) -> IsolationForest:
    arrays = _arrays(content)
    return IsolationForest(
        trees=_trees(arrays, len(manifest.features)),
        usual_path_length=float(arrays["usual_path_length"]),
        fill=np.asarray(manifest.fill_values, dtype=np.float64),
    )


def _combiner(content: bytes | None, manifest: Manifest, rules: RuleSet, calibration: Calibration) -> Combiner:
    unlabelled = NoisyOr(calibration, tuple(rule.weight for rule in rules.active))
    if content is None:
        return unlabelled
    arrays, columns = _arrays(content), len(manifest.features) + 1 + len(rules.active)
    model = _boosted(arrays, columns) if manifest.mode.startswith("boosted") else _logistic(arrays, columns)
    if arrays["declared"].shape != (len(rules.active),):
        raise ValueError("the combiner was made for other rules")
    learned = LearnedCombiner(calibration, model, arrays["declared"])
    return EitherCombiner(learned, unlabelled) if manifest.mode in BOTH.values() else learned


def _logistic(arrays: Mapping[str, NDArray[Any]], columns: int) -> LogisticRegression:
    names = ("center", "spread", "limit", "coefficient", "absent")
    if arrays["center"].shape != (columns,):
        raise ValueError("the logistic regression was made for other columns")
    return LogisticRegression(float(arrays["baseline"]), *(arrays[name] for name in names))


def _boosted(arrays: Mapping[str, NDArray[Any]], columns: int) -> BoostedTrees:
    return BoostedTrees(_trees(arrays, 2 * columns), float(arrays["baseline"]))


def _trees(arrays: Mapping[str, NDArray[Any]], width: int) -> CompleteTrees:
    feature, threshold, usual, leaf = (arrays[name] for name in ("feature", "threshold", "usual", "leaf"))
    return CompleteTrees(feature, threshold, usual, leaf, width)


def _arrays(content: bytes) -> dict[str, NDArray[Any]]:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)
