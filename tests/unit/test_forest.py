"""The exported forest scores as scikit-learn does, and a folder that is not what it says is refused."""

import io
import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.ensemble import IsolationForest as SklearnForest

from ml.export import as_npz, average_path_length, exported
from ml.forest import IsolationForest, load_scorer
from ml.manifest import COMBINER, FOREST, MANIFEST, RULES, SIGNALS, Manifest, checksum
from ml.trees import CompleteTrees
from shared.domain.errors import ModelInvalid
from shared.settings import SHIPPED_MODEL


@pytest.mark.parametrize(("trees", "max_samples", "rows"), [(100, 256, 2000), (20, 1000, 1500), (5, 2, 50)])
def test_the_exported_forest_scores_as_scikit_learn_does(trees: int, max_samples: int, rows: int) -> None:
    chance = np.random.default_rng(7)
    data = chance.lognormal(size=(rows, 5)).round(2)
    data[: rows // 2, 3] = 0
    model = SklearnForest(n_estimators=trees, max_samples=max_samples, random_state=7).fit(data.astype(np.float32))

    scores = exported(model, [0.0] * 5).anomaly(data)

    assert np.abs(np.array(scores) + model.score_samples(data)).max() < 1e-9


def test_values_beside_a_split_go_the_same_way_as_in_scikit_learn() -> None:
    data = np.random.default_rng(7).lognormal(size=(500, 3))
    model = SklearnForest(n_estimators=50, random_state=7).fit(data.astype(np.float32))
    splits = np.concatenate([tree.tree_.threshold for tree in model.estimators_])
    on_splits = np.resize(splits[splits > 0], (1000, 3))

    scores = exported(model, [0.0] * 3).anomaly(on_splits)

    assert np.abs(np.array(scores) + model.score_samples(on_splits)).max() < 1e-9


def test_a_value_on_a_threshold_keeps_left() -> None:
    forest = IsolationForest(
        CompleteTrees(
            feature=np.zeros((1, 1), dtype=np.uint8),
            threshold=np.array([[1.0]]),
            usual=np.array([[1.5]]),
            leaf=np.array([[1.0, 2.0]]),
            width=1,
        ),
        usual_path_length=1.0,
        fill=np.zeros(1),
    )

    assert forest.anomaly([(1.0,), (1.001,)]) == [0.5, 0.25]


def test_absent_values_are_filled() -> None:
    model = SklearnForest(n_estimators=10, random_state=7).fit(np.random.default_rng(7).normal(size=(300, 2)))
    forest = exported(model, [0.25, -4.0])

    assert forest.anomaly([(float("nan"), 1.0), (1.0, float("nan"))]) == forest.anomaly([(0.25, 1.0), (1.0, -4.0)])
    assert forest.anomaly([]) == []


def test_the_same_forest_gives_the_same_bytes() -> None:
    model = SklearnForest(n_estimators=10, random_state=7).fit(np.random.default_rng(7).normal(size=(300, 2)))

    assert as_npz(exported(model, [0, 0])) == as_npz(exported(model, [0, 0]))


def test_the_usual_path_length_of_small_samples() -> None:
    assert average_path_length(np.array([1, 2, 3])) == pytest.approx([0, 1, 1.2073923])


def test_a_forest_may_be_grown_on_some_columns_of_a_row() -> None:
    rows = np.random.default_rng(7).normal(size=(300, 4))
    model = SklearnForest(n_estimators=10, random_state=7).fit(rows[:, [3, 1]].astype(np.float32))

    scores = exported(model, [0.0] * 4, [3, 1]).anomaly(rows)

    assert np.abs(np.array(scores) + model.score_samples(rows[:, [3, 1]])).max() < 1e-9


@pytest.mark.parametrize("column", range(4))
def test_the_feature_that_is_strange_shortens_the_path_most(column: int) -> None:
    rows = np.random.default_rng(7).normal(size=(2000, 4)).astype(np.float32)
    forest = exported(SklearnForest(n_estimators=100, random_state=7).fit(rows), [0.0] * 4)
    strange = np.zeros((2, 4))
    strange[0, column] = 9.0

    of_strange, of_ordinary = forest.contributions(strange)

    assert np.argmax(of_strange) == column
    assert of_strange[column] > 1 > max(of_ordinary)


@pytest.mark.parametrize(("fill", "usual_path_length"), [([0.0], 1.0), ([0.0] * 4, 0.0)])
def test_a_forest_that_does_not_fit_its_rows_is_refused(fill: list[float], usual_path_length: float) -> None:
    model = SklearnForest(n_estimators=1, random_state=7).fit(np.random.default_rng(7).normal(size=(300, 4)))

    with pytest.raises(ValueError, match="one fill value"):
        IsolationForest(exported(model, [0.0] * 4).trees, usual_path_length, np.array(fill))


Damage = Callable[[Path], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(SHIPPED_MODEL, tmp_path / "model")


def replace(name: str, content: bytes) -> Damage:
    """Another file under a checksum that fits, as whoever makes models would."""

    def damage(folder: Path) -> None:
        (folder / name).write_bytes(content)
        edit(folder, sha256=json.loads((folder / MANIFEST).read_text())["sha256"] | {name: checksum(content)})

    return damage


def edit(folder: Path, **changes: object) -> None:
    """Change the manifest as whoever makes models would: with a version of its own."""
    changed = json.loads((folder / MANIFEST).read_text()) | changes
    with suppress(ValidationError):
        changed = Manifest.model_validate_json(json.dumps(changed)).named("forest").model_dump(mode="json")
    (folder / MANIFEST).write_text(json.dumps(changed))


def alter_a_threshold(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["high"]["threshold"] -= 0.01
    (folder / MANIFEST).write_text(json.dumps(manifest))


def alter_a_byte(folder: Path) -> None:
    content = bytearray((folder / FOREST).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / FOREST).write_bytes(content)


def a_pickle() -> bytes:
    file = io.BytesIO()
    np.savez(file, feature=np.array([{}], dtype=object))
    return file.getvalue()


def truncate(folder: Path) -> None:
    content = (folder / FOREST).read_bytes()
    replace(FOREST, content[: len(content) // 2])(folder)


def other_features(folder: Path) -> None:
    names = json.loads((folder / MANIFEST).read_text())["features"]
    edit(folder, features=[*names[1:], names[0]])


DAMAGES: dict[str, tuple[Damage, str]] = {
    "no folder": (shutil.rmtree, "no readable manifest.json.*python -m ml train"),
    "no manifest": (lambda folder: (folder / MANIFEST).unlink(), "no readable manifest.json.*python -m ml train"),
    "no forest": (lambda folder: (folder / FOREST).unlink(), "cannot be read.*fresh copy"),
    "an altered threshold": (alter_a_threshold, "was altered.*fresh copy"),
    "an altered byte": (alter_a_byte, "not the file its manifest names.*fresh copy"),
    "an empty forest": (lambda folder: (folder / FOREST).write_bytes(b""), "not the file its manifest names"),
    "no checksum": (lambda folder: edit(folder, sha256={}), "not the file its manifest names"),
    "a pickle": (replace(FOREST, a_pickle()), "makes no sense.*fresh copy"),
    "half a forest": (truncate, "makes no sense.*fresh copy"),
    "a foreign file": (replace(FOREST, b"PK\x03\x04"), "makes no sense.*fresh copy"),
    "no rules": (lambda folder: (folder / RULES).unlink(), "cannot be read.*fresh copy"),
    "altered rules": (lambda folder: (folder / RULES).write_text("rules:"), "not the file its manifest names"),
    "rules that make no sense": (replace(RULES, b"rules:\n  - name: x\n"), "rules.yaml, line 2: rule x lacks"),
    "signals that make no sense": (replace(SIGNALS, b"[]"), "makes no sense.*fresh copy"),
    "half signals": (replace(SIGNALS, b'{"version": '), "makes no sense.*fresh copy"),
    "a learned mode without combiner": (lambda folder: edit(folder, mode="boosted"), f"{COMBINER} cannot be read"),
    "other features": (other_features, "other features.*python -m ml train"),
    "an older format": (lambda folder: edit(folder, format=1), "is of format 1.*reads format 2.*train it anew"),
    "a newer format": (lambda folder: edit(folder, format=3), "is of format 3.*reads format 2.*newer version"),
    "half a manifest": (lambda folder: (folder / MANIFEST).write_text('{"format": 2'), "not a manifest"),
    "no manifest but bytes": (lambda folder: (folder / MANIFEST).write_bytes(b"\xff\xfe"), "no readable"),
    "too few fill values": (lambda folder: edit(folder, fill_values=[1.0]), "makes no sense"),
    "a broken calibration": (
        lambda folder: edit(folder, calibration={"anomalies": [0, 1], "tails": [1, 1]}),
        "makes no sense: calibration",
    ),
}


@pytest.mark.parametrize(("damage", "sentence"), DAMAGES.values(), ids=DAMAGES)
def test_a_model_is_refused_with_a_sentence_for(folder: Path, damage: Damage, sentence: str) -> None:
    damage(folder)

    with pytest.raises(ModelInvalid, match=sentence):
        load_scorer(folder)


def test_an_undamaged_copy_is_taken(folder: Path) -> None:
    assert load_scorer(folder).model_version == json.loads((folder / MANIFEST).read_text())["model_version"]
