"""`python -m ml train` on small files: the folder it writes, the figures it gives, and what it refuses."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from ml.__main__ import COMMANDS
from ml.calibration import band, knots
from ml.dataset import Collector, Dataset, read_dataset
from ml.forest import load_scorer
from ml.manifest import read_manifest
from ml.replay import LabelFeed, no_labels
from shared.command_line import main
from shared.csv_layouts import CsvFile
from shared.domain.decision import RiskLabel
from shared.domain.features import FEATURES
from shared.domain.history import History
from shared.domain.risk import Calibration, Findings, NoisyOr
from shared.rules_file import SHIPPED_RULES, load_rules
from tests.builders import a_transaction
from tests.csv_files import cut_short, lines, unsorted, written


def train(data: Path, out: Path, *options: str) -> int:
    arguments = ["train", "--data", str(data), "--out", str(out), "--trees", "20", *options]
    return main("python -m ml", "", COMMANDS, arguments)


def test_training_writes_a_folder_that_the_scorer_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = written(tmp_path / "transactions.csv", lines())

    assert train(data, tmp_path / "model", "--json") == 0

    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    manifest = read_manifest(tmp_path / "model")
    assert report["model_version"] == manifest.model_version == load_scorer(tmp_path / "model").model_version
    assert report["metrics"]["frauds"] > 0
    assert report["metrics"]["auc"] > 0.9
    assert manifest.features == tuple(FEATURES)
    assert (tmp_path / "model" / "model.joblib").exists()


def test_training_twice_gives_the_same_model(tmp_path: Path) -> None:
    data = written(tmp_path / "transactions.csv", lines())

    train(data, tmp_path / "one")
    train(data, tmp_path / "two")
    train(data, tmp_path / "other", "--seed", "8")

    one, two, other = [read_manifest(tmp_path / name) for name in ("one", "two", "other")]
    assert one == two
    assert other.model_version != one.model_version


def test_the_training_days_can_be_chosen(tmp_path: Path) -> None:
    data = written(tmp_path / "transactions.csv", lines())

    train(data, tmp_path / "model", "--from", "2026-01-11", "--to", "2026-01-25")

    window = read_manifest(tmp_path / "model").training_window
    assert (str(window.first), str(window.last), window.transactions) == ("2026-01-11", "2026-01-25", 1500)


def test_the_share_of_alerts_can_be_chosen(tmp_path: Path) -> None:
    data = written(tmp_path / "transactions.csv", lines())

    train(data, tmp_path / "model", "--high-rate", "0.01", "--medium-rate", "0.05")

    manifest = read_manifest(tmp_path / "model")
    assert (manifest.high.target_rate, manifest.medium.target_rate) == (0.01, 0.05)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--high-rate", "0.5"], "give --high-rate above 0"),
        (["--high-rate", "0.01", "--medium-rate", "0.001"], "--medium-rate from there"),
        (["--alerts-a-day", "5", "--high-rate", "0.01"], "not allowed with argument"),
    ],
)
def test_shares_that_cannot_be_are_refused_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    with suppress(SystemExit):
        assert train(tmp_path / "any.csv", tmp_path / "model", *options) == 2

    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("label", ["", 0], ids=["unlabelled", "one class"])
def test_without_labels_of_both_classes_there_is_a_model_but_no_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], label: object
) -> None:
    data = written(tmp_path / "transactions.csv", lines(fraud=lambda _: label))

    assert train(data, tmp_path / "model") == 0

    assert "lack labels of both classes" in capsys.readouterr().out
    assert read_manifest(tmp_path / "model").metrics is None


def test_the_scorer_decides_as_training_calibrated(tmp_path: Path) -> None:
    train(written(tmp_path / "transactions.csv", lines()), tmp_path / "model")

    decisions = load_scorer(tmp_path / "model").decide([a_transaction()], [History()])

    assert decisions[0].label is RiskLabel.LOW


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda _path: None, "cannot be read"),
    "empty": (lambda path: path.write_text(""), "is empty"),
    "only a header": (lambda path: written(path, []), "holds no transactions"),
    "ten rows": (lambda path: written(path, lines(10)), "a forest needs at least 1000"),
    "unsorted": (unsorted, "not in time order: transaction txn-20 is older"),
    "cut short": (cut_short, "damaged or cut short"),
    "no text": (lambda path: path.write_bytes(bytes(range(256)) * 9), "first line must name"),
    "a negative amount": (
        lambda path: written(path, [("t", "a", "-5", "USD", "2026-01-01T00:00:00Z", "m", 0)]),
        "no transactions that can be used: 1 times /amount: Must be a positive number",
    ),
}


@pytest.mark.parametrize(("make", "sentence"), FILES.values(), ids=FILES)
def test_a_file_is_refused_with_a_sentence_where_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Callable[[Path], object], sentence: str
) -> None:
    make(tmp_path / "transactions.csv")

    assert train(tmp_path / "transactions.csv", tmp_path / "model") == 2

    complaint = capsys.readouterr().err
    assert complaint.startswith("python -m ml: ")
    assert sentence in complaint
    assert not (tmp_path / "model").exists()


def test_senseless_numbers_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path / "any.csv", tmp_path, "--max-samples", "1") == 2

    assert "at least 2 transactions" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = written(tmp_path / "transactions.csv", lines())

    assert train(data, data / "model") == 2

    assert "Give another --out" in capsys.readouterr().err


def dataset(path: Path, feed: LabelFeed = no_labels) -> Dataset:
    return read_dataset(CsvFile(path), Collector(load_rules(SHIPPED_RULES)), feed)


def test_features_look_only_at_the_past(tmp_path: Path) -> None:
    rows, mid_day = lines(2000, days=20), 1050
    whole = dataset(written(tmp_path / "whole.csv", rows))
    half = dataset(written(tmp_path / "half.csv", rows[:mid_day]))

    np.testing.assert_array_equal(whole.features[:mid_day], half.features)
    assert len(half) == mid_day
    assert half.day[-1] == whole.day[mid_day]


def test_calibration_gives_the_share_of_the_training_window() -> None:
    anomalies = np.random.default_rng(7).beta(5, 5, size=20_000)
    found = knots(anomalies)
    calibration = Calibration(found.anomalies, found.tails)

    for share in (0.5, 0.02, 0.005):
        assert calibration.tail(float(np.quantile(anomalies, 1 - share))) == pytest.approx(share, rel=0.02)


def test_equal_anomalies_still_calibrate() -> None:
    found = knots(np.full(5000, 0.4))

    assert Calibration(found.anomalies, found.tails).tail(0.4) < 1


def test_thresholds_are_reached_by_the_target_share() -> None:
    anomalies = np.random.default_rng(7).beta(5, 5, size=20_000)
    found = knots(anomalies)
    calibration = Calibration(found.anomalies, found.tails)
    risk = np.array(
        NoisyOr(calibration, ()).risks(Findings(anomalies[:, None], anomalies, anomalies[:, None][:, :0]))
    )

    assert (risk >= band(risk, 0.005).threshold).mean() == pytest.approx(0.005, abs=1e-4)
    assert (risk >= band(risk, 0.02).threshold).mean() == pytest.approx(0.02, abs=1e-4)
