"""`python -m ml model-card`: figures go between the card's marks; leaving a part out shows what it is worth."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from ml.__main__ import COMMANDS
from ml.ablation import GROUPS, UNCALIBRATED, Ablation, LeftOut, parts
from ml.experiment import Experiment, Known, Split, prepared
from ml.fit import Growth
from ml.labels import LabelMode
from ml.runs import run_all
from shared.command_line import main
from shared.csv_layouts import CsvFile
from shared.domain.features import FEATURES
from shared.domain.risk import Calibration, evidence
from shared.rules_file import SHIPPED_RULES, load_rules
from tests.csv_files import lines, written

RULES, FEW_TREES = load_rules(SHIPPED_RULES), Growth(trees=20)
MARKS = "before\n<!-- measured -->\nold\n<!-- end of what was measured -->\nafter\n"


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    data = written(tmp_path_factory.mktemp("data") / "transactions.csv", lines())
    split = Split(date(2026, 1, 11), date(2026, 1, 25), date(2026, 2, 2))
    return prepared(CsvFile(data), split, Known(LabelMode("none"), timedelta(days=7)), RULES, FEW_TREES)


@pytest.mark.parametrize("mode", ["none", "all"])
def test_nothing_left_out_is_the_model_that_is_evaluated(experiment: Experiment, mode: str) -> None:
    labels = (np.arange(len(experiment.labels)) % 5 == 0).astype(float) if mode == "all" else experiment.labels
    known = replace(experiment, labels=labels)
    [run] = run_all(known, RULES, [FEW_TREES])

    left_out = Ablation(known, RULES, {FEW_TREES.seed: run.model.fitted.mode})

    assert left_out.ranking(LeftOut("nothing"), FEW_TREES) == run.scored.ranking()


def average_precision(experiment: Experiment, part: LeftOut) -> float:
    ranking = Ablation(experiment, RULES, {FEW_TREES.seed: "unlabelled"}).ranking(part, FEW_TREES)
    assert ranking is not None
    return ranking.average_precision


def test_every_feature_is_in_one_group() -> None:
    assert sorted(name for group in GROUPS.values() for name in group) == sorted(FEATURES)


def test_every_rule_and_component_is_left_out_once() -> None:
    names = [part.name for part in parts(RULES)]

    assert len(set(names)) == len(names)
    assert {f"rule: {rule.code}" for rule in RULES.active} < set(names)
    assert {"nothing", "the forest", "all rules"} < set(names)
    assert sum(part.labels for part in parts(RULES)) == sum(part.calibration for part in parts(RULES)) == 1


def test_without_daily_signals_the_rules_that_read_them_are_silent() -> None:
    [part] = [each for each in parts(RULES) if "daily signals" in each.name]

    assert {RULES.active[at].code for at in part.rules} >= {"merchant_with_frauds", "far_below_price_level"}
    assert "amount_far_above_usual" not in {RULES.active[at].code for at in part.rules}
    assert set(part.features) < set(FEATURES)


def test_an_uncalibrated_anomaly_is_evidence_as_it_is() -> None:
    calibration = Calibration(UNCALIBRATED.anomalies, UNCALIBRATED.tails)

    assert [evidence(calibration.tail(anomaly)) for anomaly in (0.25, 0.4, 0.6)] == pytest.approx([0.25, 0.4, 0.6])


def test_what_carries_the_figures_is_missed(experiment: Experiment) -> None:
    amounts = tuple(name for name in FEATURES if "amount" in name)
    everything = LeftOut("all", amounts, tuple(range(len(RULES.active))))

    assert average_precision(experiment, LeftOut("nothing")) > 0.9
    assert average_precision(experiment, everything) < 0.5


def test_what_says_nothing_is_not_missed(experiment: Experiment) -> None:
    refusals = LeftOut("refusals", ("recent_refusals",))

    assert average_precision(experiment, refusals) == average_precision(experiment, LeftOut("nothing"))


def test_figures_replace_those_between_the_marks(tmp_path: Path) -> None:
    data, card = written(tmp_path / "transactions.csv", lines(9000, days=90)), tmp_path / "card.md"
    card.write_text(MARKS)

    options = ["--data", str(data), "--card", str(card), "--seeds", "1", "--modes", "first:5"]
    assert main("python -m ml", "", COMMANDS, ["model-card", *options]) == 0

    text = card.read_text()
    assert text.startswith("before\n<!-- measured -->\n`transactions.csv`")
    assert text.endswith("<!-- end of what was measured -->\nafter\n")
    assert "| first:5 | 5 | unlabelled |" in text
    assert "old" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert all(cell.strip() for row in rows for cell in row.strip("|").split("|"))


def test_a_card_without_marks_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = tmp_path / "card.md"
    card.write_text("mine")

    assert main("python -m ml", "", COMMANDS, ["model-card", "--data", "any.csv", "--card", str(card)]) == 2

    assert "between which the figures go" in capsys.readouterr().err
    assert card.read_text() == "mine"
