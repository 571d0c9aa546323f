"""The scaling simulation on real services and scorers: from none to some and back to none, and nothing is lost."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = ("k8s/base/score/scaledobject.yaml", "k8s/overlays/local/score-trigger.yaml")
SMALL_TARGET = """
kind: ScaledObject
spec:
  maxReplicaCount: 2
  triggers:
    - {type: rabbitmq, metadata: {protocol: http, queueName: transactions, mode: QueueLength, value: "10"}}
"""


def scale_sim(folder: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, summary and what went to stderr."""
    command = [sys.executable, "-m", "local", "scale-sim", "--json", "--folder", str(folder), *words]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert result.stdout, result.stderr
    return result.returncode, json.loads(result.stdout.splitlines()[-1]), result.stderr


@pytest.mark.timeout(120)
def test_scorers_come_from_zero_go_to_zero_and_score_all_that_was_accepted(tmp_path: Path) -> None:
    patch, picture = tmp_path / "patch.yaml", tmp_path / "burst.svg"
    patch.write_text(SMALL_TARGET)
    words = ("--transactions", "4000", "--speed", "60", "--quiet", "1", "--picture", str(picture))
    code, summary, said = scale_sim(tmp_path / "stack", "--scaled-object", *SHIPPED, str(patch), *words)

    assert code == 0, said
    assert summary["accepted"] == summary["scored"] == 4_000
    assert summary["replicas"][0] == summary["replicas"][-1] == 0
    assert max(summary["replicas"]) == summary["most_ready"] == 2
    assert "not KEDA" in summary["called"]
    assert picture.read_text().startswith("<svg")
