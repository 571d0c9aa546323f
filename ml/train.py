"""`python -m ml train`: fit a model to a CSV of transactions, and to labels where wanted; write a model folder."""

import argparse
import json
from collections import deque
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import sklearn

from ml.dataset import nothing_in
from ml.evaluate import add_data, add_forest, add_labels, add_targets, targets_of
from ml.experiment import Experiment, Known, Split, prepared
from ml.export import as_npz, combiner_as_npz
from ml.fit import Growth, Model, fit
from ml.forest import load_scorer
from ml.manifest import COMBINER, FOREST, RULES, SIGNALS, Labels, Manifest, Metrics, Parameters, Window
from ml.metrics import alerting, at_share, ranking
from ml.model_folder import sealed, write_model
from ml.reference import REFERENCE, reference_of
from ml.replay import valid
from ml.runs import Scored, score
from shared.csv_layouts import CsvFile, csv_file
from shared.domain.features import FEATURES, FOREST_FEATURES
from shared.messages.signals_json import signals_document
from shared.rules_file import SHIPPED_RULES, load_rules
from shared.skipped_rows import SkippedRows
from shared.transactions_csv import read_transactions

ONE_DAY = timedelta(days=1)
NEAR_THE_END = 100
"""Rows from the last on of which one is valid."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `train`."""
    add_data(parser)
    parser.add_argument("--out", type=Path, default=Path(".local/model"), metavar="FOLDER", help="%(default)s")
    add_forest(parser)
    parser.add_argument("--seed", type=int, default=Growth().seed, help="of the random numbers (%(default)s)")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, metavar="D", help="first training day")
    parser.add_argument("--to", dest="last", type=date.fromisoformat, metavar="D", help="last training day")
    add_labels(parser)
    add_targets(parser)
    parser.add_argument("--json", action="store_true", help="end with one JSON line instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Train, write the folder, and say how well it ranks the days after the training window."""
    growth = Growth(args.trees, args.max_samples, args.seed, targets_of(args))
    file = csv_file(args.data, args)
    first, last = training_window(file, args.first, args.last)
    split = Split(first, last, last + args.label_delay + ONE_DAY)
    rules = load_rules(SHIPPED_RULES)
    experiment = prepared(file, split, Known(args.labels, args.label_delay), rules, growth)
    model = fit(experiment.window, experiment.window_labels, rules, growth)
    files = files_of(model, experiment, SHIPPED_RULES.read_bytes())
    manifest = sealed(manifest_of(model, experiment, growth), files)
    write_model(args.out, manifest, files, {"forest": model.sklearn, "combiner": model.fitted.learned})
    load_scorer(args.out)
    print(_as_json(args.out, manifest) if args.json else _as_sentences(args.out, manifest, split))
    return 0


def training_window(file: CsvFile, first: date | None, last: date | None) -> tuple[date, date]:
    """The training days. Unless given, the file's first quarter only fills the histories, the next 3/8 train."""
    if first and last:
        return first, last
    begin, end = days_of(file)
    days = (end - begin).days + 1
    return first or begin + timedelta(days=days // 4), last or begin + timedelta(days=days * 5 // 8)


def days_of(file: CsvFile) -> tuple[date, date]:
    """The days of the file's first and last valid transaction; raises UserError as reading does."""
    skipped = SkippedRows(str(file))
    rows = read_transactions(file, skipped=skipped)
    first = next(valid(rows, skipped), None)
    if first is None:
        skipped.finish()
        raise nothing_in(file)
    ends = [first, *valid(deque(rows, maxlen=NEAR_THE_END), skipped)]
    return ends[0].transaction.occurred_at.date(), ends[-1].transaction.occurred_at.date()


def manifest_of(model: Model, experiment: Experiment, growth: Growth) -> Manifest:
    """What the model folder says of the model; figures where the days from the test's first on have labels."""
    split = experiment.split
    return Manifest(
        model_version="",
        mode=model.fitted.mode,
        features=tuple(FEATURES),
        forest_features=FOREST_FEATURES,
        fill_values=tuple(model.forest.fill.tolist()),
        calibration=model.knots,
        medium=model.medium,
        high=model.high,
        parameters=Parameters(
            trees=growth.trees,
            max_samples=growth.max_samples,
            seed=growth.seed,
            scikit_learn=sklearn.__version__,
        ),
        training_window=Window(first=split.train_from, last=split.train_to, transactions=len(experiment.window)),
        labels=_labels(experiment, model),
        metrics=_metrics(score(model, experiment.test).labelled(), model.high.threshold),
        sha256={},
    )


def files_of(model: Model, experiment: Experiment, rules: bytes) -> dict[str, bytes]:
    """The files that are served and the reference for drift, by name; `rules` is the content of the rules file."""
    signals = json.dumps(signals_document(experiment.signals), separators=(",", ":")).encode()
    window = experiment.window
    reference = reference_of(window.features, model.fitted.unseen).model_dump_json().encode()
    files = {FOREST: as_npz(model.forest), RULES: rules, SIGNALS: signals, REFERENCE: reference}
    learned = model.fitted.learned
    return files | {COMBINER: combiner_as_npz(learned)} if learned else files


def _labels(experiment: Experiment, model: Model) -> Labels:
    known = experiment.window_labels[~np.isnan(experiment.window_labels)]
    return Labels(known=len(known), frauds=int(known.sum()), validation=dict(model.fitted.validation))


def _metrics(scored: Scored, high: float) -> Metrics | None:
    test, risk = scored.test, scored.risk
    if not 0 < test.label.sum() < len(test):
        return None
    ranked, reached = ranking(test, risk), alerting(test, risk, high, 0)
    return Metrics(
        first=test.day[0].item(),
        last=test.day[-1].item(),
        transactions=len(test),
        frauds=int(test.label.sum()),
        auc=ranked.auc,
        average_precision=ranked.average_precision,
        recall_at_half_percent=at_share(test, risk, 0.005).recall,
        recall_at_one_percent=at_share(test, risk, 0.01).recall,
        high_share=reached.share,
        high_precision=reached.precision,
    )


def _as_json(folder: Path, manifest: Manifest) -> str:
    wanted = {"model_version", "training_window", "metrics", "medium", "high"}
    return json.dumps({"folder": str(folder)} | manifest.model_dump(mode="json", include=wanted))


def _as_sentences(folder: Path, manifest: Manifest, split: Split) -> str:
    days, metrics = manifest.training_window, manifest.metrics
    written = (
        f"{manifest.model_version} in {folder}: {days.transactions} transactions, {days.first} to {days.last}"
    )
    if metrics is None:
        return f"{written}\nNo figures: the days from {split.test_from} on lack labels of both classes."
    return (
        f"{written}\nOn {metrics.transactions} transactions, {metrics.first} to {metrics.last}, with "
        f"{metrics.frauds} frauds: AUC {metrics.auc:.3f}, average precision {metrics.average_precision:.3f}, "
        f"recall at 0.5 % {metrics.recall_at_half_percent:.3f}, at 1 % {metrics.recall_at_one_percent:.3f}; "
        f"{metrics.high_share:.2%} are HIGH, {metrics.high_precision:.0%} of those fraud. "
        "Real cards are harder than simulations."
    )
