"""k8s/apply.sh, with a kubectl that writes down what it is asked: the schema comes before the doors."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.deploy.tools import ROOT

KUBECTL = """#!/bin/sh
echo "$@" >> "$ASKED"
case "$1" in wait) exit "$MIGRATED" ;; esac
"""


@pytest.fixture
def apply(tmp_path: Path):
    """Runs the script; answers its exit code, what it said and what it asked of kubectl."""
    program, asked = tmp_path / "bin" / "kubectl", tmp_path / "asked"
    program.parent.mkdir()
    program.write_text(KUBECTL)
    program.chmod(0o755)
    asked.touch()

    def run(folder: str, migrated: int = 0) -> tuple[int, str, list[str]]:
        environment = os.environ | {
            "PATH": f"{program.parent}:{os.environ['PATH']}", "ASKED": str(asked), "MIGRATED": str(migrated)
        }  # fmt: skip
        done = subprocess.run(
            [ROOT / "k8s" / "apply.sh", ROOT / folder],
            check=False, env=environment, text=True, capture_output=True, timeout=60,
        )  # fmt: skip
        return (
            done.returncode,
            done.stderr,
            [" ".join(line.split()[:2]) for line in asked.read_text().splitlines()],
        )

    return run


def test_the_doors_are_rolled_out_once_the_schema_is_up_to_date(apply) -> None:
    code, _, asked = apply("k8s/overlays/local")

    assert code == 0
    assert [line.split()[0] for line in asked[:5]] == ["kustomize", "delete", "apply", "wait", "apply"]
    assert asked[5:] == ["rollout status"] * 3


def test_the_doors_stay_as_they_are_where_the_migration_fails(apply) -> None:
    code, said, asked = apply("k8s/overlays/local", migrated=1)

    assert code == 1
    assert "apply again" in said
    assert [line.split()[0] for line in asked] == ["kustomize", "delete", "apply", "wait", "logs"]


def test_a_folder_that_is_no_overlay_is_refused(apply) -> None:
    assert apply("docs")[::2] == (2, [])
