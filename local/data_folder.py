"""The folder of one set of services: data, ports, passwords, logs. One process holds it at a time."""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import processes
from shared.command_line import UserError

STATE = "state.json"
PATIENCE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class DataFolder:
    """A folder held by this process; `path` is absolute."""

    path: Path

    @property
    def mark(self) -> str:
        """Identifies the processes that belong to this folder, also where another root has the same path."""
        return f"{self.path}#{self.path.stat().st_ino}"

    def sub(self, name: str) -> Path:
        """A folder inside, made where missing; only its owner may read it."""
        folder = self.path / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def log(self, part: str) -> Path:
        """Where the output of a part goes."""
        return self.sub("logs") / f"{part}.log"

    def password(self, service: str) -> str:
        """The password of a service, drawn once."""
        file = self.path / f"{service}.password"
        if not file.exists():
            write_private(file, secrets.token_urlsafe(18))
        return file.read_text()

    def read_json(self, name: str) -> dict[str, Any]:
        """A small JSON file of this folder; empty where it is missing or was cut off."""
        try:
            return dict(json.loads((self.path / name).read_text()))
        except (FileNotFoundError, ValueError):
            return {}

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Replace a small JSON file as a whole; only its owner may read it."""
        write_private(self.path / name, json.dumps(content))

    def forget_state(self) -> None:
        """Say that nothing runs here."""
        (self.path / STATE).unlink(missing_ok=True)


def write_private(file: Path, text: str) -> None:
    """Write a file in one step, readable by its owner only."""
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    fresh.replace(file)


@contextmanager
def hold(path: Path, setting: str = "FRAUDSENSE_DATA_DIR") -> Iterator[DataFolder]:
    """Make the folder, keep others out of it, and end what an interrupted run left behind.

    Raises UserError where another process holds it.
    """
    folder = DataFolder(path.absolute())
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        lock = (folder.path / "lock").open("a+")
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror}): set {setting} to another folder."
        ) from error
    with lock:
        if not _take_patiently(lock.fileno()):
            lock.seek(0)
            raise UserError(
                f"FraudSense already runs in {path} (process {lock.read() or 'unknown'}): "
                f"stop it, or set {setting} to another folder."
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        processes.sweep(folder.mark, folder.path)
        try:
            yield folder
        finally:
            lock.truncate(0)


def held_state(path: Path) -> dict[str, Any] | None:
    """What the process that holds the folder last wrote about itself; None where nothing runs there."""
    try:
        with (path / "lock").open() as lock:
            if _take(lock.fileno(), fcntl.LOCK_SH):
                return None
    except OSError:
        return None
    return DataFolder(path.absolute()).read_json(STATE) or None


def _take_patiently(descriptor: int) -> bool:
    """Take the lock for this process alone, also where a reader looks at it just now."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (taken := _take(descriptor, fcntl.LOCK_EX)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return taken


def _take(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
