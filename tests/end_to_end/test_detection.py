"""From simulated files to ranked frauds: what the commands of `ml` find without labels, and what labels add."""

import csv
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SIMULATED = ("--customers", "150", "--days", "80", "--fraud-share", "0.015")
DAYS = ("--train-from", "2025-01-17", "--train-to", "2025-02-10", "--test-from", "2025-02-18")


@dataclass(frozen=True)
class Evaluated:
    """The report, and the mean rank of each attack's frauds in the test days: 1 riskiest, 0 least risky."""

    ranking: dict[str, Any]
    combiner: str
    rank: dict[str, float]


def ml(*arguments: str) -> str:
    command = [sys.executable, "-m", "ml", *arguments, "--json"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=100).stdout


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("simulated") / "data.csv"
    assert json.loads(ml("simulate", "--out", str(path), *SIMULATED))["transactions"] > 20_000
    return path


def evaluated(data: Path, labels: str) -> Evaluated:
    scores = data.with_name(f"{labels}.csv")
    said = ml("evaluate", "--data", str(data), *DAYS, "--labels", labels, "--seeds", "1", "--scores", str(scores))
    report, attack_of = json.loads(said), {row["transaction_id"]: row["attack"] for row in rows_of(data)}
    ranked = sorted(rows_of(scores), key=lambda row: float(row["risk"]))
    places: dict[str, list[float]] = {}
    for place, row in enumerate(ranked):
        places.setdefault(attack_of[row["transaction_id"]], []).append(place / len(ranked))
    rank = {attack: sum(found) / len(found) for attack, found in places.items()}
    return Evaluated(report["figures"]["ranking"], report["seeds"][0]["combiner"], rank)


def test_attacks_are_found_without_labels_and_a_compromised_merchant_by_its_labels(data: Path) -> None:
    unlabelled, labelled = evaluated(data, "none"), evaluated(data, "all")

    assert unlabelled.combiner == "unlabelled"
    assert unlabelled.ranking["auc"] > 0.88
    assert unlabelled.ranking["at"][-1]["share"] == 0.01
    assert unlabelled.ranking["at"][-1]["recall"] > 0.3
    for attack in ("card_testing", "account_takeover", "impossible_travel", "bust_out"):
        assert unlabelled.rank[attack] > 0.95

    assert unlabelled.rank["compromised_merchant"] < 0.75
    assert labelled.rank["compromised_merchant"] > 0.9
    assert labelled.ranking["auc"] > unlabelled.ranking["auc"] + 0.03
