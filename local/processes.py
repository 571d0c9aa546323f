"""Starting processes that end with us, and finding those that an interrupted run left behind."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

MARK = "FRAUDSENSE_BELONGS_TO"
PROC = Path("/proc")


def spawn(
    command: Sequence[str],
    *,
    mark: str,
    environment: Mapping[str, str],
    cwd: Path,
    log: Path,
    privileges: Sequence[str] = (),
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own (Ctrl-C in the terminal is for us only), its output in `log`."""
    with log.open("ab") as out:
        return subprocess.Popen(
            [*_ends_with_us(privileges), *command],
            env={**environment, MARK: mark},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def _ends_with_us(privileges: Sequence[str]) -> list[str]:
    """The kernel kills the process if ours is killed; must follow the change of user, which clears it."""
    if shutil.which("setpriv") is None:
        return []
    return ["setpriv", *privileges, "--pdeathsig", "KILL"]


def send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a process of ours, where it still runs."""
    if process.poll() is None:
        process.send_signal(number)


def sweep(mark: str, home: Path | None) -> None:
    """Kill every process that bears the mark, and database servers that work inside `home`."""
    deadline = time.monotonic() + 10
    while send_to_all(mark, home, signal.SIGKILL) and time.monotonic() < deadline:
        time.sleep(0.02)


def send_to_all(mark: str, home: Path | None, number: signal.Signals) -> int:
    """Send a signal to all that `sweep` would kill; how many there were."""
    found = list(_belonging(mark, home))
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
    return len(found)


def cpu_seconds(pid: int) -> float:
    """Processor time that a process took so far, in user and kernel."""
    after_name = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return sum(map(int, after_name[11:13])) / os.sysconf("SC_CLK_TCK")


def _belonging(mark: str, home: Path | None) -> Iterator[int]:
    entry = f"{MARK}={mark}".encode()
    for process in PROC.glob("[0-9]*"):
        if int(process.name) != os.getpid() and (_bears(process, entry) or _is_server_in(process, home)):
            yield int(process.name)


def _bears(process: Path, entry: bytes) -> bool:
    """Whether the environment holds the mark of this part, or of a part of this folder."""
    try:
        words = (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(word == entry or word.startswith(entry + b"/") for word in words)


def no_postgres_in(home: Path) -> bool:
    """Whether it is certain that no PostgreSQL process works inside `home`."""
    return PROC.exists() and not any(_is_server_in(process, home) for process in PROC.glob("[0-9]*"))


def _is_server_in(process: Path, home: Path | None) -> bool:
    """PostgreSQL and Redis write their processes' titles over the environment, so the working folder tells."""
    try:
        return (
            home is not None
            and any(name in (process / "comm").read_text() for name in ("postgres", "redis"))
            and (process / "cwd").readlink().is_relative_to(home)
        )
    except OSError:
        return False
