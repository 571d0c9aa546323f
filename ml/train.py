"""`python -m ml train`: grow an isolation forest on a CSV of transactions, calibrate it, write a model folder."""

import argparse
import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest as SklearnForest

from ml.calibration import band, knots, risks
from ml.dataset import Dataset, read_dataset
from ml.evaluation import evaluated
from ml.export import as_npz, exported
from ml.forest import IsolationForest, load_scorer
from ml.manifest import FOREST, Manifest, Parameters, Window, checksum
from ml.model_folder import write_model
from shared.command_line import UserError
from shared.domain.features import FEATURES
from shared.domain.risk import Calibration

HIGH_RATE, MEDIUM_RATE = 0.005, 0.02
LABEL_DELAY = timedelta(days=7)
"""Testing starts this long after training: later labels would not have been known."""

FEWEST = 1000
"""Transactions below which quantiles of half a percent mean nothing."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A forest as scikit-learn holds it (kept for audit), as it is served, and its manifest."""

    model: SklearnForest
    forest: IsolationForest
    manifest: Manifest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `train`."""
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="CSV or CSV.gz in time order")
    parser.add_argument("--out", type=Path, default=Path(".local/model"), metavar="FOLDER", help="%(default)s")
    parser.add_argument("--trees", type=int, default=200, help="trees of the forest (%(default)s)")
    parser.add_argument("--max-samples", type=int, default=256, help="transactions per tree (%(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="of the random numbers (%(default)s)")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, metavar="D", help="first training day")
    parser.add_argument("--to", dest="last", type=date.fromisoformat, metavar="D", help="last training day")
    parser.add_argument("--json", action="store_true", help="end with one JSON line instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Train, write the folder, and say how well it ranks the days after the training window."""
    _check(args.trees, args.max_samples)
    dataset = read_dataset(args.data)
    first, last = training_window(dataset, args.first, args.last)
    trained = train(dataset, first, last, trees=args.trees, max_samples=args.max_samples, seed=args.seed)
    write_model(args.out, trained.manifest, as_npz(trained.forest), trained.model)
    load_scorer(args.out)
    print(_as_json(args.out, trained.manifest) if args.json else _as_sentences(args.out, trained.manifest))
    return 0


def training_window(dataset: Dataset, first: date | None, last: date | None) -> tuple[date, date]:
    """The training days. Unless given, the file's first quarter only fills the histories, the next 3/8 train."""
    begin, end = dataset.day[0].item(), dataset.day[-1].item()
    days = (end - begin).days + 1
    return first or begin + timedelta(days=days // 4), last or begin + timedelta(days=days * 5 // 8)


def train(dataset: Dataset, first: date, last: date, *, trees: int, max_samples: int, seed: int) -> Trained:
    """A forest grown on the days from `first` to `last`; raises UserError where they hold too little."""
    window = dataset.between(first, last)
    if len(window) < max(FEWEST, max_samples):
        raise UserError(
            f"Only {len(window)} transactions lie between {first} and {last}; a forest needs at least "
            f"{max(FEWEST, max_samples)}. Give a longer file or other days (--from, --to)."
        )
    fill = medians(window.features)
    model = SklearnForest(n_estimators=trees, max_samples=max_samples, random_state=seed)
    forest = exported(model.fit(_filled(window.features, fill)), fill.tolist())
    parameters = Parameters(trees=trees, max_samples=max_samples, seed=seed, scikit_learn=sklearn.__version__)
    days = Window(first=first, last=last, transactions=len(window))
    return Trained(model, forest, _manifest(forest, window, dataset.between(last + LABEL_DELAY), days, parameters))


def medians(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median of each column (N, F) where it is known; 0 for a column that is wholly absent."""
    known = ~np.isnan(features)
    return np.array([np.median(f[k]) if k.any() else 0.0 for f, k in zip(features.T, known.T, strict=True)])


def _filled(features: NDArray[np.float64], fill: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.where(np.isnan(features), fill, features).astype(np.float32)


def _manifest(
    forest: IsolationForest, window: Dataset, test: Dataset, days: Window, parameters: Parameters
) -> Manifest:
    anomalies = np.array(forest.anomaly(window.features))
    curve = knots(anomalies)
    calibration = Calibration(curve.anomalies, curve.tails)
    risk = risks(calibration, anomalies, window.rule_weight)
    high = band(risk, HIGH_RATE)
    test_risk = risks(calibration, np.array(forest.anomaly(test.features)), test.rule_weight)
    manifest = Manifest(
        model_version="",
        features=tuple(FEATURES),
        fill_values=tuple(forest.fill.tolist()),
        calibration=curve,
        medium=band(risk, MEDIUM_RATE),
        high=high,
        parameters=parameters,
        training_window=days,
        metrics=evaluated(test, test_risk, high.threshold),
        sha256={FOREST: checksum(as_npz(forest))},
    )
    return manifest.named(f"forest-{days.last:%Y%m%d}")


def _check(trees: int, max_samples: int) -> None:
    if trees < 1 or max_samples < 2:
        raise UserError("A forest needs at least 1 tree (--trees) of at least 2 transactions (--max-samples).")


def _as_json(folder: Path, manifest: Manifest) -> str:
    wanted = {"model_version", "training_window", "metrics", "medium", "high"}
    return json.dumps({"folder": str(folder)} | manifest.model_dump(mode="json", include=wanted))


def _as_sentences(folder: Path, manifest: Manifest) -> str:
    days, metrics = manifest.training_window, manifest.metrics
    written = (
        f"{manifest.model_version} in {folder}: {days.transactions} transactions, {days.first} to {days.last}"
    )
    if metrics is None:
        return f"{written}\nNo figures: the days after {days.last + LABEL_DELAY} lack labels of both classes."
    return (
        f"{written}\nOn {metrics.transactions} transactions, {metrics.first} to {metrics.last}, with "
        f"{metrics.frauds} frauds: AUC {metrics.auc:.3f}, average precision {metrics.average_precision:.3f}, "
        f"recall at 0.5 % {metrics.recall_at_half_percent:.3f}, at 1 % {metrics.recall_at_one_percent:.3f}; "
        f"{metrics.high_share:.2%} are HIGH, {metrics.high_precision:.0%} of those fraud. "
        "Real cards are harder than simulations."
    )
