"""The programs that check what is deployed: those of this virtual environment first, then the machine's."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# What one should do where a program is missing.
REMEDIES = {"promtool": "install Debian's package prometheus"}


@dataclass(frozen=True, slots=True)
class Tool:
    """A program: called, it runs in the repository and answers with its exit code and all that it printed."""

    program: str

    def __call__(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [self.program, *map(str, arguments)]
        return subprocess.run(
            command,
            check=False,
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=280,
        )


def find(name: str) -> Tool:
    """The program by its name; the test that asks for a missing one is skipped, and says what to do."""
    program = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if program is None:
        pytest.skip(f"{name} is missing, so this was not checked: {REMEDIES.get(name, 'run `make check-deploy`')}")
    return Tool(program)
