"""`.ci/run` fails where a check was skipped that this machine could have run."""

import os
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / ".ci" / "run"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Programs that come before this machine's: whoever asks is root on Debian."""
    for name, does in {"id": "echo 0", "apt-get": "exit 0"}.items():
        program(tmp_path, name, does)
    return tmp_path


def program(folder: Path, name: str, does: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{does}\n")
    file.chmod(0o755)


def check_deploy(machine: Path, *lines: str, code: int = 0) -> int:
    """The exit code where `make check-deploy` says this."""
    said = "\n".join(lines)
    program(machine, "make", f"cat <<'END'\n{said}\nEND\nexit {code}")
    environment = os.environ | {"PATH": f"{machine}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run([RUN, "check-deploy"], env=environment, capture_output=True, check=False).returncode


def test_all_that_passed_passes(machine: Path) -> None:
    assert check_deploy(machine, "300 passed in 40.00s") == 0


def test_a_failure_fails(machine: Path) -> None:
    assert check_deploy(machine, "1 failed, 299 passed in 40.00s", code=1) != 0


def test_a_validator_that_could_be_had_may_not_be_skipped(machine: Path) -> None:
    skipped = "SKIPPED [2] tests/deploy/test_compose.py:9: promtool is missing, so this was not checked"

    assert check_deploy(machine, skipped, "298 passed, 2 skipped in 40.00s") == 1


def test_one_that_cannot_be_had_may(machine: Path) -> None:
    skipped = (
        "SKIPPED [2] tests/deploy/test_compose.py:9: docker compose is missing, so it did not read compose.yaml"
    )

    assert check_deploy(machine, skipped, "298 passed, 2 skipped in 40.00s") == 0


def test_who_may_install_nothing_may_skip(machine: Path) -> None:
    program(machine, "id", "echo 1000")
    skipped = "SKIPPED [2] tests/deploy/test_compose.py:9: promtool is missing, so this was not checked"

    assert check_deploy(machine, skipped, "298 passed, 2 skipped in 40.00s") == 0
