"""`python -m ml drift`: how far features and risk of some days are from those that a model was trained on."""

import argparse
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ml.forest import load_scorer
from ml.manifest import read_manifest
from ml.reference import LARGE, MODERATE, Counts, Spread, read_reference
from ml.registered import told_to_the_user
from ml.replay import Step
from ml.sources import add_source, expect_source, no_transactions, steps_of_days
from shared.domain.risk import Findings
from shared.domain.scoring import Scorer
from shared.settings import load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `drift`."""
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="instead of the one of FRAUDSENSE_MODEL_DIR")
    add_source(parser)
    parser.add_argument("--json", action="store_true", help="end with one JSON line instead of a table")


def run(args: argparse.Namespace) -> int:
    """Replay the days, compare, and tell; raises UserError."""
    expect_source(args)
    folder = args.model or load_settings().model_dir
    with told_to_the_user():
        scorer = load_scorer(folder)
        counts = Counts(read_reference(folder, read_manifest(folder)))
    with steps_of_days(args) as wanted:
        for steps in wanted:
            counts.add([step.row for step in steps], _risks(scorer, steps))
    if not counts.transactions:
        raise no_transactions(args)
    if args.json:
        found = {"model_version": scorer.model_version, "transactions": counts.transactions}
        print(json.dumps(found | {"psi": counts.indices()}))
    else:
        _print(counts, scorer.model_version)
    return 0


def _risks(scorer: Scorer, steps: list[Step]) -> list[float]:
    """By forest, rules and combiner; lists and signals of today are none of the model's."""
    rows = [step.row for step in steps]
    pasts = [step.transaction for step in steps], [step.history for step in steps]
    hits = scorer.rules.hits(*pasts, rows)
    return scorer.combiner.risks(Findings(rows, scorer.forest.anomaly(rows), hits))


def _print(counts: Counts, model_version: str) -> None:
    table = Table("", box=None, pad_edge=False)
    table.add_column("stability index", justify="right")
    table.add_column("")
    for name, index in counts.indices().items():
        table.add_row(Text(name), f"{index:.3f}", _said(index, counts.expected[name]))
    Console(highlight=False).print(table)
    print(f"{counts.transactions:,} transactions against the training window of {model_version}.")


def _said(index: float, expected: Spread) -> str:
    if index > MODERATE and expected.is_of_nothing:
        return "was absent from the training window"
    return "large: look at the data, train again" if index > LARGE else "moderate" if index > MODERATE else ""
