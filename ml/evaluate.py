"""`python -m ml evaluate`: what the product's pipeline would have found in the days after its training."""

import argparse
import csv
import os
from dataclasses import replace
from datetime import date, timedelta
from io import StringIO
from pathlib import Path

from ml.calibration import Targets
from ml.combiner import FEWEST_OF_A_CLASS
from ml.evaluation import evaluated
from ml.experiment import Known, Split
from ml.fit import Growth
from ml.labels import LabelMode, days, label_mode
from ml.report_page import as_html
from ml.results import Figures, Report
from ml.runs import Scored
from shared.command_line import UserError
from shared.csv_layouts import add_reading, csv_file
from shared.rules_file import SHIPPED_RULES, load_rules

SCORES = ("transaction_id", "risk", "anomaly")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `evaluate`."""
    add_data(parser)
    for name, meaning in (
        ("--train-from", "first training day, YYYY-MM-DD"),
        ("--train-to", "last training day"),
        ("--test-from", "first test day"),
    ):
        parser.add_argument(name, type=date.fromisoformat, required=True, metavar="D", help=meaning)
    add_labels(parser)
    add_targets(parser)
    add_forest(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the report here, as JSON")
    parser.add_argument(
        "--scores",
        type=Path,
        metavar="FILE",
        help="write the risks of the test days (earlier ones taught the model) here, as CSV",
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report here, as a page with pictures")
    parser.add_argument(
        "--seeds", type=int, default=3, metavar="N", help="models to fit, each with a seed of its own (3)"
    )
    parser.add_argument("--json", action="store_true", help="end with one JSON line instead of sentences")


def add_data(parser: argparse.ArgumentParser) -> None:
    """Declare --data and how it is read."""
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="CSV or CSV.gz in time order")
    add_reading(parser)


def add_labels(parser: argparse.ArgumentParser) -> None:
    """Declare which labels are known when."""
    parser.add_argument(
        "--labels",
        type=label_mode,
        default=LabelMode("none"),
        metavar="MODE",
        help="which labels are known: none, all, reviewed:K (of the K riskiest cards of each day), first:N (until "
        "N frauds are confirmed) (%(default)s)",
    )
    parser.add_argument(
        "--label-delay",
        type=days,
        default=timedelta(days=7),
        metavar="DAYS",
        help="days until a label is known (7d)",
    )


def add_forest(parser: argparse.ArgumentParser) -> None:
    """Declare how the forest is grown."""
    usual = Growth()
    parser.add_argument("--trees", type=int, default=usual.trees, help="trees of the forest (%(default)s)")
    parser.add_argument(
        "--max-samples", type=int, default=usual.max_samples, help="transactions per tree (%(default)s)"
    )


def add_targets(parser: argparse.ArgumentParser) -> None:
    """Declare how many transactions are to be HIGH and MEDIUM."""
    usual = Targets()
    high = parser.add_mutually_exclusive_group()
    high.add_argument(
        "--high-rate",
        type=float,
        default=usual.high,
        metavar="SHARE",
        help="share of the transactions to be HIGH (%(default)s)",
    )
    high.add_argument(
        "--alerts-a-day", type=float, metavar="N", help="instead: how many HIGH a day the team can work through"
    )
    parser.add_argument(
        "--medium-rate",
        type=float,
        default=usual.medium,
        metavar="SHARE",
        help="share to be MEDIUM or HIGH (%(default)s; with --alerts-a-day in proportion)",
    )


def targets_of(args: argparse.Namespace) -> Targets:
    """What `add_targets` declared; raises UserError."""
    return Targets(args.high_rate, args.medium_rate, args.alerts_a_day)


def run(args: argparse.Namespace) -> int:
    """Evaluate, write what was asked for, and say the figures."""
    if args.seeds < 1:
        raise UserError("At least one model is needed: give --seeds 1 or more.")
    for path in filter(None, (args.out, args.html, args.scores)):
        expect_writable(path)
    split, known = Split(args.train_from, args.train_to, args.test_from), Known(args.labels, args.label_delay)
    first = Growth(args.trees, args.max_samples, targets=targets_of(args))
    growths = [replace(first, seed=first.seed + more) for more in range(args.seeds)]
    file = csv_file(args.data, args)
    report, scored = evaluated(file, split, known, load_rules(SHIPPED_RULES), growths)
    if args.out:
        write_text(args.out, report.model_dump_json(indent=2) + "\n")
    if args.html:
        write_text(args.html, as_html(report))
    if args.scores:
        write_scores(args.scores, scored)
    print(report.model_dump_json(exclude={"figures": {"curves"}}) if args.json else sentences(report))
    return 0


def expect_writable(path: Path) -> None:
    """Raise UserError where a file and the folder it belongs in could surely not be written; writes nothing."""
    folder = next(each for each in path.absolute().parents if each.exists())
    if path.is_dir() or not folder.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise UserError(f"{path} cannot be written. Give another place.")


def write_text(path: Path, text: str) -> None:
    """Write a file and the folder it belongs in; raises UserError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}. Give another place.") from error


def write_scores(path: Path, scored: Scored) -> None:
    """One line for each transaction of the test days, labelled or not; raises UserError."""
    text, columns = StringIO(), (scored.test.ids.tolist(), scored.risk.tolist(), scored.anomaly.tolist())
    csv.writer(text, lineterminator="\n").writerows([SCORES, *zip(*columns, strict=True)])
    write_text(path, text.getvalue())


def sentences(report: Report) -> str:
    """The report in a few lines."""
    training, test, labels = report.training, report.test, report.labels
    lines = [
        f"Trained on {training.transactions} transactions, {training.first} to {training.last}, with the labels "
        f"of {labels.known} of them ({labels.frauds} frauds; --labels {labels.mode}): "
        f"{', '.join(sorted({seed.combiner for seed in report.seeds}))}{_too_few(report)}.",
        f"Tested on {test.transactions}, {test.first} to {test.last}, with {test.frauds} frauds.",
    ]
    if report.figures is None:
        return "\n".join([*lines, f"No figures: {report.no_figures}"])
    return "\n".join([*lines, *_figures(report.figures), *_spread(report), report.note])


def _too_few(report: Report) -> str:
    """Why labels that were asked for taught nothing."""
    labels = report.labels
    if labels.mode == "none" or min(labels.frauds, labels.known - labels.frauds) >= FEWEST_OF_A_CLASS:
        return ""
    return (
        f", as nothing is learned from fewer than {FEWEST_OF_A_CLASS} labelled frauds or {FEWEST_OF_A_CLASS} "
        "labelled legitimate transactions; give more training days or a shorter --label-delay"
    )


def _figures(figures: Figures) -> list[str]:
    ranking, high = figures.ranking, figures.high
    shares = "; ".join(
        f"{at.share:.1%} riskiest: recall {at.recall:.3f}, precision {at.precision:.3f}, "
        f"{at.value_caught:.0%} of the value"
        for at in ranking.at
    )
    return [
        f"AUC {ranking.auc:.4f}, average precision {ranking.average_precision:.4f}, "
        f"CP@100 {ranking.card_precision:.4f}.",
        f"{shares}.",
        f"HIGH: {high.share:.2%} of the transactions (target {high.target_rate:.2%}), {high.precision:.0%} are "
        "fraud.",
    ]


def _spread(report: Report) -> list[str]:
    if len(report.seeds) == 1 or report.spread is None:
        return []
    found = report.spread["average_precision"]
    return [
        f"Average precision over {len(report.seeds)} seeds: {found.mean:.4f} ({found.min:.4f} to {found.max:.4f})."
    ]
