"""A short campaign balances, and one without a guarantee does not. The long campaign is `make chaos`."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
OF_EACH_GROUP = (
    "kill-ingest,kill-redis,term-alerts,die-announce,together,down-postgres,poison-bytes,poison-item,newer-envelope,"
    "drop-websocket,flush-redis"
)


def chaos(folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """Exit code and summary of a campaign."""
    command = [sys.executable, "-m", "local", "chaos", "--json", "--folder", str(folder), *words]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert result.stdout, result.stderr
    return result.returncode, json.loads(result.stdout.splitlines()[-1])


def broken(summary: dict[str, Any]) -> dict[str, Any]:
    """The checks that do not hold."""
    return {name: check for name, check in summary["checks"].items() if not check["holds"]}


@pytest.mark.timeout(300)
def test_nothing_is_lost_doubled_or_stuck(tmp_path: Path) -> None:
    code, summary = chaos(tmp_path, "--seconds", "20", "--rate", "100", "--faults", OF_EACH_GROUP)
    assert broken(summary) == {}
    assert code == 0
    assert summary["checks"]["faults"]["kinds"] == len(OF_EACH_GROUP.split(","))
    assert summary["checks"]["kept"]["accepted"] > 800
    assert summary["checks"]["delivered"]["HIGH"] > 20


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("guarantee", "checks"),
    [("gate", {"once", "quarantine"}), ("history", {"history"}), ("outbox", {"announced"})],
)
def test_without_a_guarantee_only_its_checks_break(tmp_path: Path, guarantee: str, checks: set[str]) -> None:
    words = ("--seconds", "2", "--rate", "50", "--faults", "drop-websocket", "--sabotage", guarantee)
    code, summary = chaos(tmp_path, *words)
    assert set(broken(summary)) == checks
    assert summary["sabotage_shows"] is True
    assert code == 1
