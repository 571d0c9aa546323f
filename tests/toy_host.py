"""The stand-in for the Functions host as a process, running a toy app that writes down what it does."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATIENCE_SECONDS = 20


class RunningHost:
    """A host process with what its toy app wrote down."""

    def __init__(self, notes: Path, *arguments: str, **environment: str) -> None:
        self._notes = notes
        notes.touch()
        command = [sys.executable, "-m", "local.functions_host", "--app", "tests.integration.toy_function_app"]
        self.process = subprocess.Popen(
            [*command, *arguments],
            cwd=ROOT,
            env=os.environ | {"TOY_NOTES": str(notes)} | environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    def notes(self) -> list[str]:
        """What the toy app has written down so far."""
        return self._notes.read_text().splitlines()

    def wait_for(self, note: str, times: int = 1) -> None:
        """Until it has written this so many times."""
        self.wait_until(lambda: self.notes().count(note) >= times)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Fails where the process ends first."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < deadline, self.notes()
            time.sleep(0.02)

    def events(self) -> list[str]:
        """What it logged, once it has ended; several times the same in a row counts once."""
        assert self.process.stderr
        lines = (json.loads(line) for line in self.process.stderr if line.startswith("{"))
        return [event for event, _ in groupby(line["event"] for line in lines if "event" in line)]

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)


@contextmanager
def toy_hosts(folder: Path) -> Iterator[Callable[..., RunningHost]]:
    """Starts hosts that write into a folder, and leaves none behind."""
    started: list[RunningHost] = []

    def start_one(*arguments: str, **environment: str) -> RunningHost:
        started.append(RunningHost(folder / "notes", *arguments, **environment))
        return started[-1]

    try:
        yield start_one
    finally:
        for host in started:
            host.process.kill()
            host.process.communicate()
