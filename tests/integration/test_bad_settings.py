"""Every program that reads settings answers a setting without sense with one sentence that names it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = [
    ("local", "run"),
    ("local", "status"),
    ("local", "enqueue", "transactions.csv"),
    ("local.functions_host", "--group", "score"),
    ("shared.broker.topology",),
    ("shared.database", "migrate"),
    ("functions.alerts",),
]


def told(*program: str, **environment: str) -> tuple[int, str]:
    """Exit code and standard error of a Python program."""
    done = subprocess.run(
        [sys.executable, *program],
        check=False,
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("program", PROGRAMS, ids=" ".join)
def test_a_setting_without_sense_is_named_in_one_sentence(program: tuple[str, ...], tmp_path: Path) -> None:
    code, errors = told("-m", *program, FRAUDSENSE_POISON_SHARE="7", FRAUDSENSE_DATA_DIR=str(tmp_path / "data"))

    assert code != 0
    assert "FRAUDSENSE_POISON_SHARE: Input should be less than or equal to 1" in errors.splitlines()[-1]
    assert "Traceback" not in errors
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("groups", ["alerts", "scoring", "", "ingest,alerts"])
def test_the_function_app_names_a_choice_of_groups_that_it_cannot_register(groups: str) -> None:
    code, errors = told("-c", "import function_app", FRAUDSENSE_FUNCTIONS=groups)

    assert code == 1
    assert "FRAUDSENSE_FUNCTIONS: Choose from ingest, score" in errors.splitlines()[-1]
