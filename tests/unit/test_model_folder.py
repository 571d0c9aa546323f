"""Model folders with a learned combiner: they decide as what was trained, or are refused with a sentence."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.ensemble import IsolationForest as SklearnForest

from ml.__main__ import COMMANDS
from ml.combiner import fit_combiner
from ml.export import FOREST_COLUMNS, as_npz, combiner_as_npz, exported
from ml.forest import load_scorer
from ml.learned import LearnedCombiner
from ml.manifest import BOTH, COMBINER, FOREST, MANIFEST, RULES, SIGNALS, Labels, Mode, read_manifest
from ml.model_folder import JOBLIB, sealed, write_model
from shared.command_line import main
from shared.domain.errors import ModelInvalid
from shared.domain.features import FEATURES
from shared.domain.risk import Calibration, EitherCombiner, Findings, NoisyOr
from shared.domain.signals import PriceLevel, Signals
from shared.messages.signals_json import signals_document
from shared.rules_file import load_rules
from shared.settings import SHIPPED_MODEL

SHIPPED = read_manifest(SHIPPED_MODEL)
CALIBRATION = Calibration(SHIPPED.calibration.anomalies, SHIPPED.calibration.tails)
WEIGHTS = tuple(rule.weight for rule in load_rules(SHIPPED_MODEL / RULES).active)
LEARNED: list[Mode] = ["logistic", "boosted"]


def findings(count: int = 2000) -> Findings:
    chance = np.random.default_rng(7)
    rows = chance.normal(size=(count, len(FEATURES)))
    rows[:, 5][chance.random(count) < 0.1] = np.nan
    return Findings(rows, chance.random(count), chance.random((count, len(WEIGHTS))) < 0.1)


def a_combiner(mode: Mode) -> LearnedCombiner:
    """Frauds are high in the first feature; where trees are to win, on either side of it."""
    seen, chance = findings(), np.random.default_rng(8)
    first = np.asarray(seen.rows)[:, 0]
    odds = 3 * (first if mode == "logistic" else np.abs(first) - 0.3) - 4
    labels = (chance.random(len(first)) < 1 / (1 + np.exp(-odds))).astype(float)
    fitted = fit_combiner(seen, labels, unlabelled=NoisyOr(CALIBRATION, WEIGHTS), seed=7)
    assert fitted.mode == mode
    assert isinstance(fitted.combiner, LearnedCombiner)
    return fitted.combiner


def a_forest() -> SklearnForest:
    rows = np.nan_to_num(np.asarray(findings().rows)[:, FOREST_COLUMNS]).astype(np.float32)
    return SklearnForest(n_estimators=10, random_state=7).fit(rows)


@pytest.fixture(scope="module", params=LEARNED)
def combiner(request: pytest.FixtureRequest) -> LearnedCombiner:
    return a_combiner(request.param)


@pytest.fixture
def folder(tmp_path: Path, combiner: LearnedCombiner) -> Path:
    files = {name: (SHIPPED_MODEL / name).read_bytes() for name in (RULES, SIGNALS)}
    forest = a_forest()
    files |= {FOREST: as_npz(exported(forest, SHIPPED.fill_values, FOREST_COLUMNS))}
    files |= {COMBINER: combiner_as_npz(combiner)}
    mode: Mode = "logistic" if hasattr(combiner.model, "center") else "boosted"
    draft = SHIPPED.model_copy(update={"mode": mode, "labels": Labels(known=2000, frauds=200, validation={})})
    trained = {"forest": forest, "combiner": combiner}
    write_model(tmp_path / "model", sealed(draft, files), files, trained)
    return tmp_path / "model"


def test_a_learned_combiner_is_read_as_it_was_trained(folder: Path, combiner: LearnedCombiner) -> None:
    served = load_scorer(folder).combiner

    assert served.risks(findings()) == combiner.risks(findings())
    assert served.contributions(findings(5)) == combiner.contributions(findings(5))


def test_what_few_labels_taught_is_read_beside_the_unlabelled_combination(
    folder: Path, combiner: LearnedCombiner
) -> None:
    manifest = read_manifest(folder)
    files = {name: (folder / name).read_bytes() for name in manifest.files}
    few = sealed(manifest.model_copy(update={"mode": BOTH[manifest.mode]}), files)
    (folder / MANIFEST).write_text(few.model_dump_json())

    both = EitherCombiner(combiner, NoisyOr(CALIBRATION, WEIGHTS))
    assert load_scorer(folder).combiner.risks(findings()) == both.risks(findings())
    assert both.risks(findings(5)) != combiner.risks(findings(5))


def test_its_version_names_the_mode(folder: Path) -> None:
    assert load_scorer(folder).model_version.startswith(("logistic-", "boosted-"))


def test_training_without_labels_into_the_same_folder_leaves_no_combiner_behind(folder: Path) -> None:
    files = {name: (SHIPPED_MODEL / name).read_bytes() for name in SHIPPED.sha256}

    write_model(folder, sealed(SHIPPED, files), files, None)

    assert not (folder / COMBINER).exists()
    assert load_scorer(folder).model_version == SHIPPED.model_version


def edit_combiner(folder: Path, **changes: object) -> None:
    """Other arrays under checksums and a version that fit."""
    with np.load(folder / COMBINER) as arrays:
        np.savez(folder / COMBINER, **dict(arrays) | changes)
    manifest = read_manifest(folder)
    files = {name: (folder / name).read_bytes() for name in manifest.files}
    (folder / MANIFEST).write_text(sealed(manifest, files).model_dump_json())


def other_rules(folder: Path) -> None:
    edit_combiner(folder, declared=np.zeros(len(WEIGHTS) + 1))


def other_mode(folder: Path) -> None:
    manifest = read_manifest(folder)
    mode = "boosted" if manifest.mode == "logistic" else "logistic"
    changed = sealed(
        manifest.model_copy(update={"mode": mode}), {n: (folder / n).read_bytes() for n in manifest.files}
    )
    (folder / MANIFEST).write_text(changed.model_dump_json())


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: (folder / COMBINER).unlink(), "combiner.npz cannot be read.*fresh copy"),
        (lambda folder: (folder / COMBINER).write_bytes(b""), "not the file its manifest names"),
        (other_rules, "made for other rules.*fresh copy"),
        (other_mode, "makes no sense.*fresh copy"),
        (lambda folder: edit_combiner(folder, declared=np.full(len(WEIGHTS), 2.0)), "must lie in"),
        (lambda folder: edit_combiner(folder, center=np.ones(3), feature=np.zeros((1, 2))), "makes no sense"),
    ],
    ids=["absent", "empty", "other rules", "other mode", "weights", "shapes"],
)
def test_a_combiner_is_refused_with_a_sentence(
    folder: Path, damage: Callable[[Path], object], sentence: str
) -> None:
    damage(folder)

    with pytest.raises(ModelInvalid, match=sentence):
        load_scorer(folder)


def export(folder: Path, out: Path, *options: str) -> int:
    return main("python -m ml", "", COMMANDS, ["export", "--model", str(folder), "--out", str(out), *options])


def test_exporting_gives_the_same_model(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(folder, tmp_path / "again", "--json") == 0

    report = json.loads(capsys.readouterr().out)
    assert report == {"folder": str(tmp_path / "again"), "same": True} | {
        "model_version": read_manifest(folder).model_version
    }
    assert load_scorer(tmp_path / "again").combiner.risks(findings(5))


def test_a_model_can_be_given_away_without_the_merchants_of_its_training(folder: Path, tmp_path: Path) -> None:
    price = PriceLevel(100, 3.0, 0.5)
    signals = Signals("2026-01-01", category_prices={"travel": price}, merchant_prices={"mer-1": price})
    (folder / SIGNALS).write_text(json.dumps(signals_document(signals)))

    assert export(folder, tmp_path / "given", "--without-merchants") == 0

    assert load_scorer(tmp_path / "given").signals == replace(signals, merchant_prices={})


def test_exporting_mends_damaged_arrays(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / FOREST).write_bytes(b"")

    assert export(folder, tmp_path / "again") == 0
    assert "(as before)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: (folder / JOBLIB).unlink(), "model.joblib cannot be read"),
        (lambda folder: (folder / JOBLIB).write_bytes(b"not a pickle"), "model.joblib cannot be read"),
        (lambda folder: joblib.dump("forest", folder / JOBLIB), "another version"),
        (shutil.rmtree, "no readable manifest.json"),
    ],
    ids=["absent", "no pickle", "something else", "no folder"],
)
def test_what_cannot_be_exported_is_said(
    folder: Path,
    tmp_path: Path,
    damage: Callable[[Path], object],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    damage(folder)

    assert export(folder, tmp_path / "again") == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "again").exists()
