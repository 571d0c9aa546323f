"""The population stability index, and `python -m ml drift` on files."""

import json
from pathlib import Path

import numpy as np
import pytest

from ml.__main__ import COMMANDS
from ml.manifest import read_manifest
from ml.reference import REFERENCE, Spread, counted, reference_of, spread_of, stability_index
from shared.command_line import main
from shared.domain.features import FEATURES
from tests.csv_files import Line, lines, written
from tests.unit.test_train import train

NORMAL = np.random.default_rng(7).normal(size=20_000)


def index(before: np.ndarray, now: np.ndarray) -> float:
    expected = spread_of(before)
    return stability_index(expected, counted(now, expected.edges))


def test_the_index_is_that_of_the_formula() -> None:
    expected = Spread(edges=(0.0,), shares=(0.5, 0.5, 0.0))

    found = stability_index(expected, np.array([80, 20, 0]))

    assert found == pytest.approx(0.3 * np.log(0.8 / 0.5) + 0.3 * np.log(0.5 / 0.2))


def test_the_same_values_have_not_moved_and_others_have() -> None:
    other = np.random.default_rng(8).normal(size=20_000)

    assert index(NORMAL, NORMAL) == 0
    assert index(NORMAL, other) < 0.01
    assert 0.1 < index(NORMAL, other + 0.5) < index(NORMAL, other + 1)


def test_bins_are_tenths_of_the_values_and_one_for_what_is_absent() -> None:
    spread = spread_of(np.concatenate([NORMAL, np.full(20_000, np.nan)]))

    assert spread.shares == pytest.approx([0.05] * 10 + [0.5], abs=1e-4)
    assert index(NORMAL, np.full(100, np.nan)) > 1


@pytest.mark.parametrize("values", [np.zeros(50), np.full(50, np.nan)], ids=["one value", "absent"])
def test_a_feature_that_never_varies_has_a_reference_too(values: np.ndarray) -> None:
    assert index(values, values) == 0
    assert index(values, np.ones(50)) > 1


def test_the_reference_survives_as_a_file() -> None:
    reference = reference_of(np.full((10, len(FEATURES)), np.nan), np.linspace(0, 1, 10))

    assert type(reference).model_validate_json(reference.model_dump_json()) == reference


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model and the file it was trained on."""
    folder = tmp_path_factory.mktemp("drift")
    data = written(folder / "transactions.csv", lines())
    assert train(data, folder / "model") == 0
    return folder


def drift(folder: Path, capsys: pytest.CaptureFixture[str], data: str, *words: str) -> dict[str, float]:
    arguments = ["drift", "--model", str(folder / "model"), "--data", str(folder / data), *words, "--json"]
    assert main("python -m ml", "", COMMANDS, arguments) == 0
    return json.loads(capsys.readouterr().out)["psi"]


def test_the_training_window_has_not_drifted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    window = read_manifest(folder / "model").training_window
    days = ("--from", str(window.first), "--to", str(window.last), "--label-delay", "999d")

    found = drift(folder, capsys, "transactions.csv", *days)

    assert set(found) == {"risk", *FEATURES}
    assert max(found.values()) < 0.01


def test_amounts_ten_times_as_large_stand_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def dearer(line: Line) -> Line:
        return [*line[:2], f"{float(str(line[2])) * 10:.2f}", *line[3:]]

    written(folder / "dearer.csv", [dearer(line) for line in lines()])

    found = drift(folder, capsys, "dearer.csv", "--from", "2026-01-20")

    assert found["amount"] > 0.25
    assert [*found.values()] == sorted(found.values(), reverse=True)


def test_a_table_tells_what_the_model_never_saw(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = folder / "transactions.csv"

    assert (
        main("python -m ml", "", COMMANDS, ["drift", "--model", str(folder / "model"), "--data", str(data)]) == 0
    )

    shown = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if "  " in line.strip()}
    assert shown["merchant_risk_score"].rstrip().endswith("was absent from the training window")


def test_a_model_without_a_sound_reference_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = (folder / "model" / REFERENCE).read_bytes()
    (folder / "model" / REFERENCE).write_text("{}")
    try:
        words = ["drift", "--model", str(folder / "model"), "--data", str(folder / "transactions.csv")]
        assert main("python -m ml", "", COMMANDS, words) == 2
    finally:
        (folder / "model" / REFERENCE).write_bytes(kept)

    assert "Take a fresh copy of the model" in capsys.readouterr().err
