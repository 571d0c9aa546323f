"""The drift that score shows: of features and risk, against the training window of the model that serves."""

import json
import re
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from functions.score.drift import FEWEST, TOGETHER, Drift
from ml.manifest import MANIFEST, read_manifest
from ml.model_folder import sealed
from ml.reference import LARGE, MODERATE, REFERENCE, reference_of
from shared.domain.features import FEATURES
from shared.domain.lists import Listed, ListedKind, Lists, Verdict
from shared.settings import SHIPPED_MODEL
from shared.telemetry.metrics import DRIFT, configure_metrics, render, show_from
from tests.builders import a_transaction
from tests.habits import REGULAR
from tests.unit.test_scoring import a_scorer

HOUR = 3600.0
AMOUNT, ALWAYS_ABSENT = [*FEATURES].index("amount"), [*FEATURES].index("merchant_risk_7d")


def window(seed: int, number: int = 5000) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Features and risks, alike for every seed; one feature is absent."""
    chance = np.random.default_rng(seed)
    rows = chance.normal(size=(number, len(FEATURES)))
    rows[:, ALWAYS_ABSENT] = np.nan
    return rows, chance.random(number)


def a_folder(folder: Path, reference: str) -> Path:
    """The shipped model with another training window."""
    copytree(SHIPPED_MODEL, folder)
    (folder / REFERENCE).write_text(reference)
    manifest = read_manifest(SHIPPED_MODEL)
    renewed = sealed(manifest, {name: (folder / name).read_bytes() for name in manifest.sha256})
    (folder / MANIFEST).write_text(renewed.model_dump_json())
    return folder


class Bench:
    """A drift with its clock, and what `/metrics` shows of it."""

    def __init__(self, folder: Path) -> None:
        configure_metrics("score")
        self.now = 0.0
        self.drift = Drift(clock=lambda: self.now)
        self.drift.follow(folder)
        show_from(DRIFT, self.drift.indices)

    def score(self, rows: NDArray[np.float64], risks: NDArray[np.float64], batch: int = 100) -> None:
        for first in range(0, len(rows), batch):
            several = [tuple(row) for row in rows[first : first + batch].tolist()]
            self.drift.add(several, risks[first : first + batch].tolist())

    def shown(self) -> dict[str, float]:
        lines = re.findall(rb'^score_drift_psi\{feature="(\w+)"\} (\S+)$', render(), re.MULTILINE)
        return {name.decode(): float(value) for name, value in lines}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_folder(tmp_path / "model", reference_of(*window(seed=1)).model_dump_json())


@pytest.fixture
def bench(folder: Path) -> Bench:
    return Bench(folder)


def test_the_same_distribution_has_not_drifted(bench: Bench) -> None:
    bench.score(*window(seed=2))

    shown = bench.shown()

    assert set(shown) == {"risk", *FEATURES} - {"merchant_risk_7d"}
    assert max(shown.values()) < MODERATE


def test_a_feature_that_moved_stands_out_alone(bench: Bench) -> None:
    rows, risks = window(seed=2)
    rows[:, AMOUNT] += 1

    bench.score(rows, risks)

    shown = bench.shown()
    assert shown.pop("amount") > LARGE
    assert max(shown.values()) < MODERATE


def test_a_risk_that_moved_is_shown_as_well(bench: Bench) -> None:
    rows, risks = window(seed=2)

    bench.score(rows, risks / 2)

    assert bench.shown()["risk"] > LARGE


def test_a_feature_that_vanished_has_drifted(bench: Bench) -> None:
    rows, risks = window(seed=2)
    rows[:, AMOUNT] = np.nan

    bench.score(rows, risks)

    assert bench.shown()["amount"] > LARGE


@pytest.mark.parametrize(("number", "is_shown"), [(FEWEST - 1, False), (FEWEST, True)])
def test_nothing_is_shown_of_too_few(bench: Bench, number: int, is_shown: bool) -> None:
    bench.score(*window(seed=2, number=number))

    assert bool(bench.shown()) is is_shown


def test_what_is_not_a_full_pack_counts_as_well(bench: Bench) -> None:
    rows, risks = window(seed=2, number=2 * TOGETHER + 300)
    rows[2 * TOGETHER :, AMOUNT] = np.nan

    bench.score(rows, risks)

    assert bench.shown()["amount"] > MODERATE


def test_after_a_day_only_the_last_day_is_told(bench: Bench) -> None:
    rows, risks = window(seed=2)
    rows[:, AMOUNT] += 1
    bench.score(rows, risks)
    for _ in range(23):
        bench.now += HOUR
        bench.score(*window(seed=3, number=1000))
    still = bench.shown()["amount"]

    bench.now += HOUR

    assert bench.shown()["amount"] < still / 2
    bench.now += 24 * HOUR
    assert bench.shown() == {}


def test_another_champion_starts_anew(bench: Bench, tmp_path: Path) -> None:
    rows, risks = window(seed=2)
    bench.score(rows + 1, risks)
    moved = reference_of(rows + 1, risks).model_dump_json()

    bench.drift.follow(a_folder(tmp_path / "other", moved))
    nothing = bench.shown()
    bench.score(rows + 1, risks)

    assert nothing == {}
    assert max(bench.shown().values()) < MODERATE


@pytest.mark.parametrize("content", [None, "{}"], ids=["missing", "altered"])
def test_a_model_without_a_sound_reference_shows_nothing_and_says_so_once(
    folder: Path, bench: Bench, content: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / REFERENCE).unlink()
    if content is not None:
        (folder / REFERENCE).write_text(content)

    bench.drift.follow(folder)
    bench.score(*window(seed=2))

    assert bench.shown() == bench.shown() == {}
    assert [record.event for record in caplog.records] == ["drift_unknown"]


@pytest.mark.parametrize(
    "changes", [{"features": {}}, {"risk": {"edges": [0.5], "shares": [1.0]}}], ids=["features", "bins"]
)
def test_a_reference_that_does_not_fit_measures_nothing_and_fails_no_batch(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    reference = json.loads(reference_of(*window(seed=1)).model_dump_json()) | changes
    bench = Bench(a_folder(tmp_path / "model", json.dumps(reference)))

    bench.score(*window(seed=2))

    assert bench.shown() == {}


def test_a_scorer_tells_its_watch_features_and_risks_as_the_model_found_them() -> None:
    seen: list[tuple[int, float]] = []
    blocked = Lists.of([Listed(ListedKind.ACCOUNT, "acct-1", Verdict.BLOCK, "ada")])
    scorer = replace(
        a_scorer(0.3), lists=blocked, watch=lambda rows, risks: seen.append((len(rows[0]), round(risks[0], 3)))
    )

    (decision,) = scorer.decide([a_transaction()], [REGULAR])

    assert decision.risk == 1.0
    assert [columns for columns, _ in seen] == [len(FEATURES)]
    assert seen[0][1] < 0.9
