"""`python -m ml drift`: how far features and risk of some days are from those that a model was trained on."""

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ml.forest import load_scorer
from ml.manifest import read_manifest
from ml.reference import LARGE, MODERATE, Reference, Spread, counted, read_reference, stability_index
from ml.registered import told_to_the_user
from ml.replay import Step
from ml.sources import add_source, expect_source, no_transactions, steps_of_days
from shared.domain.features import FEATURES
from shared.domain.risk import Findings
from shared.domain.scoring import Scorer
from shared.settings import load_settings

RISK = "risk"


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
        drift = Drift(scorer, read_reference(folder, read_manifest(folder)))
    with steps_of_days(args) as wanted:
        for steps in wanted:
            drift.add(steps)
    if not drift.transactions:
        raise no_transactions(args)
    if args.json:
        found = {"model_version": scorer.model_version, "transactions": drift.transactions}
        print(json.dumps(found | {"psi": drift.indices()}))
    else:
        _print(drift, scorer.model_version)
    return 0


@dataclass
class Drift:
    """Counts transactions in the bins of a model's training window."""

    scorer: Scorer
    reference: Reference
    transactions: int = 0
    counts: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def add(self, steps: list[Step]) -> None:
        """Count these."""
        self.transactions += len(steps)
        rows = np.array([step.row for step in steps])
        columns = dict(zip(FEATURES, rows.T, strict=True)) | {RISK: self._risks(steps)}
        for name, values in columns.items():
            counts = counted(values, self.expected(name).edges)
            self.counts[name] = self.counts[name] + counts if name in self.counts else counts

    def indices(self) -> dict[str, float]:
        """The population stability index of the risk and of each feature, the largest first."""
        found = {name: stability_index(self.expected(name), counts) for name, counts in self.counts.items()}
        return dict(sorted(found.items(), key=lambda each: -each[1]))

    def expected(self, name: str) -> Spread:
        """How a feature, or the risk, was spread over the training window."""
        return self.reference.risk if name == RISK else self.reference.features[name]

    def _risks(self, steps: list[Step]) -> NDArray[np.float64]:
        """By forest, rules and combiner; lists and signals of today are none of the model's."""
        rows = [step.row for step in steps]
        pasts = [step.transaction for step in steps], [step.history for step in steps]
        hits = self.scorer.rules.hits(*pasts, rows)
        return np.array(self.scorer.combiner.risks(Findings(rows, self.scorer.forest.anomaly(rows), hits)))


def _print(drift: Drift, model_version: str) -> None:
    table = Table("", box=None, pad_edge=False)
    table.add_column("stability index", justify="right")
    table.add_column("")
    for name, index in drift.indices().items():
        table.add_row(Text(name), f"{index:.3f}", _said(index, drift.expected(name)))
    Console(highlight=False).print(table)
    print(f"{drift.transactions:,} transactions against the training window of {model_version}.")


def _said(index: float, expected: Spread) -> str:
    if index > MODERATE and expected.shares[-1] == 1:
        return "was absent from the training window"
    return "large: look at the data, train again" if index > LARGE else "moderate" if index > MODERATE else ""
