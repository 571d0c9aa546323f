"""The whole product as `python -m local run` starts it, for tests from the outside."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.ports import free_port

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Stack:
    """A running FraudSense: its data folder, URLs and process ids as the READY line told."""

    data_dir: Path
    urls: dict[str, str]
    pids: dict[str, int]

    def local(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """`python -m local <words>` against this stack."""
        return subprocess.run(
            [sys.executable, "-m", "local", *words],
            cwd=ROOT,
            env=os.environ | {"FRAUDSENSE_DATA_DIR": str(self.data_dir)} | environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )


@contextmanager
def running_stack(data_dir: Path, **settings: str) -> Iterator[Stack]:
    """FraudSense on free ports in `data_dir`, stopped by SIGTERM at the end."""
    ports = {f"FRAUDSENSE_{name}_PORT": str(free_port()) for name in ("INGEST", "SCORE", "ALERTS")}
    chosen = {"FRAUDSENSE_SAMPLE_TRAFFIC": "off", "FRAUDSENSE_RATE_LIMIT_PER_MINUTE": "0"} | settings
    process = subprocess.Popen(
        [sys.executable, "-m", "local", "run"],
        cwd=ROOT,
        env=os.environ | ports | chosen | {"FRAUDSENSE_DATA_DIR": str(data_dir)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        ready = _ready_line(process)
        yield Stack(data_dir, ready["urls"], ready["pids"])
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()


def _ready_line(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("READY "):
            ready: dict[str, Any] = json.loads(line.removeprefix("READY "))
            return ready
    raise AssertionError(f"`local run` ended with {process.wait()} before it was ready")
