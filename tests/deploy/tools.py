"""The programs that check what is deployed: those of this virtual environment first, then the machine's."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# What one should do where a program is missing.
REMEDIES = {"promtool": "install Debian's package prometheus"}

# Runs the program with these arguments in the repository; standard error is in its output.
Tool = Callable[..., subprocess.CompletedProcess[str]]


def find(name: str) -> Tool:
    """The program by its name; the test that asks for a missing one is skipped, and says what to do."""
    program = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if program is None:
        pytest.skip(f"{name} is missing, so this was not checked: {REMEDIES.get(name, 'run `make check-deploy`')}")

    def run(*arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        command = [str(program), *map(str, arguments)]
        return subprocess.run(
            command, check=False, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=280
        )

    return run
