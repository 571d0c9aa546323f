"""Keeps a set of processes running: starts them in stages, restarts those that die, stops them in reverse."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local import processes
from local.data_folder import DataFolder
from shared.domain.errors import FraudSenseError

ROOT = Path(__file__).parents[1]
TICK = 0.1
DEATHS_AT_START = 3
RESTART_DELAYS = (0.0, 0.5, 1.0, 2.0, 3.0)
STEADY_SECONDS = 10.0


class Stopped(FraudSenseError):
    """Stopping was asked for while something was awaited."""


class PartFailed(FraudSenseError):
    """A part does not start; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process to keep running. `ready` answers at once and never raises; `privileges` are setpriv options."""

    name: str
    command: tuple[str, ...]
    ready: Callable[[], bool]
    environment: Mapping[str, str]
    cwd: Path = ROOT
    privileges: tuple[str, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0


@dataclass(slots=True)
class _Running:
    part: Part
    process: subprocess.Popen[bytes]
    started: float
    deaths: int = 0
    was_ready: bool = False
    restart_at: float | None = None
    held: bool = False
    once: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Supervisor:
    """`stopping` ends every wait; `tell` receives lines for the user.

    Use it from the main thread: the kernel ends a part together with the thread that started it.
    """

    folder: DataFolder
    stopping: threading.Event
    tell: Callable[[str], None]
    _stages: list[list[_Running]] = field(default_factory=list)

    def start(self, *parts: Part) -> None:
        """Start one stage, without waiting for it; later stages are stopped first."""
        for part in parts:
            self._begin_log(part.name)
        stage = [_Running(part, self._spawn(part), time.monotonic()) for part in parts]
        self._stages.append(stage)

    def wait_ready(self, *names: str, seconds: float = 90) -> None:
        """Wait until the named parts (default: all) are ready. Raises PartFailed, Stopped."""
        waiting = [one for one in self._all() if not names or one.part.name in names]
        deadline = time.monotonic() + seconds
        while waiting := [one for one in waiting if not self._is_ready(one)]:
            if time.monotonic() > deadline:
                raise PartFailed(self._obituary(waiting[0].part.name, f"is not ready after {seconds:.0f} s"))
            self._tick()

    def run_job(self, name: str, command: Iterable[str], environment: Mapping[str, str]) -> None:
        """Run a command to its end. Raises PartFailed where it fails, Stopped."""
        self._begin_log(name)
        job = Part(name, tuple(command), ready=lambda: True, environment=environment)
        process = self._spawn(job)
        try:
            while process.poll() is None:
                self._tick()
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            raise PartFailed(self._obituary(name, "failed"))

    def watch(self, changed: Callable[[], None]) -> None:
        """Restart what dies until stopping is asked for; `changed` is called after each restart."""
        while not self.stopping.wait(TICK):
            if self.tend():
                changed()

    def tend(self) -> bool:
        """Look after each part once, without waiting; whether one was started again."""
        return sum(self._tend_one(one, time.monotonic()) for one in self._all()) > 0

    def hold(self, name: str, number: signal.Signals | None = None) -> None:
        """Stop a part by this signal (default: its own) and keep it down, without waiting for its end."""
        one = self._named(name)
        one.held = True
        processes.send(one.process, number or one.part.stop_signal)

    def release(self, name: str, once: Mapping[str, str] | None = None) -> None:
        """Let `tend` start a held part again, for one life with the variables `once` added to its environment."""
        one = self._named(name)
        one.held, one.once = False, once or {}

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to every process of a part, such as SIGSTOP, after which it hangs until SIGCONT."""
        one = self._named(name)
        processes.send_to_all(self._mark(one.part), self._home(one.part), number)

    def is_down(self, name: str) -> bool:
        """Whether the part's process has ended and is not started again yet."""
        return self._named(name).process.poll() is not None

    def unready(self, *names: str) -> list[str]:
        """Those of the named parts (default: all) that do not answer as ready now; takes some seconds at worst."""
        asked = [one for one in self._all() if not names or one.part.name in names]
        return [one.part.name for one in asked if one.process.poll() is not None or not one.part.ready()]

    def pids(self) -> dict[str, int]:
        """The process id of each part."""
        return {one.part.name: one.process.pid for one in self._all()}

    def stop(self) -> None:
        """Stop all stages, the latest first; whatever still belongs to the folder then is killed."""
        for stage in reversed(self._stages):
            for one in stage:
                processes.send(one.process, one.part.stop_signal)
            for one in stage:
                _await_end(one)
        self._stages.clear()
        processes.sweep(self.folder.mark, self.folder.path)

    def _all(self) -> list[_Running]:
        return [one for stage in self._stages for one in stage]

    def _named(self, name: str) -> _Running:
        return next(one for one in self._all() if one.part.name == name)

    def _spawn(self, part: Part, once: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        return processes.spawn(
            part.command,
            mark=self._mark(part),
            environment={**part.environment, **(once or {})},
            cwd=part.cwd,
            log=self.folder.log(part.name),
            privileges=part.privileges,
        )

    def _mark(self, part: Part) -> str:
        return f"{self.folder.mark}/{part.name}"

    def _begin_log(self, name: str) -> None:
        log = self.folder.log(name)
        if log.exists():
            log.replace(log.with_suffix(".log.1"))

    def _tick(self) -> None:
        if self.stopping.wait(TICK):
            raise Stopped
        self.tend()

    def _is_ready(self, one: _Running) -> bool:
        one.was_ready = one.was_ready or (one.restart_at is None and one.part.ready())
        return one.was_ready

    def _tend_one(self, one: _Running, now: float) -> bool:
        if one.restart_at is None and one.process.poll() is not None:
            self._note_death(one, now)
        if one.restart_at is None or one.held or now < one.restart_at:
            return False
        one.process, one.started, one.restart_at = self._spawn(one.part, one.once), now, None
        one.once = {}
        return True

    def _note_death(self, one: _Running, now: float) -> None:
        steady = now - one.started > STEADY_SECONDS
        one.deaths = 1 if steady else one.deaths + 1
        name, code = one.part.name, one.process.returncode
        if not one.was_ready and one.deaths >= DEATHS_AT_START:
            raise PartFailed(self._obituary(name, f"ended {one.deaths} times in a row (exit code {code})"))
        self.tell(f"{name} ended (exit code {code}): {'kept down' if one.held else 'starting it again'}")
        processes.sweep(self._mark(one.part), self._home(one.part))
        one.restart_at = now + RESTART_DELAYS[min(one.deaths, len(RESTART_DELAYS)) - 1]

    def _home(self, part: Part) -> Path | None:
        """The part's own folder, where PostgreSQL's processes are known by it."""
        return part.cwd if part.cwd.is_relative_to(self.folder.path) else None

    def _obituary(self, name: str, what: str) -> str:
        log = self.folder.log(name)
        lines = log.read_text(errors="replace").splitlines()[-15:]
        return "\n".join([f"{name} {what}. The end of {log}:", *(f"    {line}" for line in lines)])


def _await_end(one: _Running) -> None:
    try:
        one.process.wait(one.part.stop_seconds)
    except subprocess.TimeoutExpired:
        one.process.kill()
        one.process.wait()
