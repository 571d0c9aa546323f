"""The supervisor, with small shell commands as its parts."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.data_folder import DataFolder
from local.supervisor import Part, PartFailed, Stopped, Supervisor
from tests.waiting import eventually

PYTHON = sys.executable


def a_part(name: str = "part", script: str = "sleep 60", ready: Callable[[], bool] = lambda: True) -> Part:
    """A part that runs a shell script."""
    return Part(name, ("sh", "-c", script), ready=ready, environment=dict(os.environ), stop_seconds=2)


def alive(pid: int) -> bool:
    """Whether a process runs (a process that nobody waited for does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def told() -> list[str]:
    """What the user was told."""
    return []


@pytest.fixture
def supervisor(tmp_path: Path, told: list[str]) -> Iterator[Supervisor]:
    """A supervisor; it stops what it started when the test ends."""
    one = Supervisor(DataFolder(tmp_path), threading.Event(), told.append)
    yield one
    one.stop()


@pytest.fixture
def watched(supervisor: Supervisor) -> Iterator[Supervisor]:
    """The same, already watching."""
    watcher = threading.Thread(target=supervisor.watch, args=(lambda: None,))
    watcher.start()
    yield supervisor
    supervisor.stopping.set()
    watcher.join()


def test_a_part_that_dies_is_started_again(watched: Supervisor, told: list[str]) -> None:
    watched.start(a_part("score"))
    watched.wait_ready()
    first = watched.pids()["score"]
    os.kill(first, signal.SIGKILL)
    assert eventually(lambda: watched.pids()["score"] != first and alive(watched.pids()["score"]))
    assert told == ["score ended (exit code -9): starting it again"]


def test_what_a_dead_part_leaves_behind_is_ended_before_it_starts_again(
    watched: Supervisor, tmp_path: Path
) -> None:
    watched.start(a_part(script=f"sleep 61 & echo $! >> {tmp_path}/children; wait"))
    assert eventually((tmp_path / "children").exists)
    child = int((tmp_path / "children").read_text().split()[0])
    os.kill(watched.pids()["part"], signal.SIGKILL)
    assert eventually(lambda: not alive(child))


def test_a_part_that_ends_three_times_at_start_is_given_up_with_the_end_of_its_log(supervisor: Supervisor) -> None:
    supervisor.start(a_part("score", "echo no model here; exit 3", ready=lambda: False))
    with pytest.raises(PartFailed, match=r"score ended 3 times in a row \(exit code 3\)(.|\n)*no model here"):
        supervisor.wait_ready()


def test_a_part_that_is_never_ready_is_given_up(supervisor: Supervisor) -> None:
    supervisor.start(a_part("alerts", ready=lambda: False))
    with pytest.raises(PartFailed, match="alerts is not ready"):
        supervisor.wait_ready(seconds=0.2)


def test_waiting_ends_when_stopping_is_asked_for(supervisor: Supervisor) -> None:
    supervisor.start(a_part(ready=lambda: False))
    supervisor.stopping.set()
    with pytest.raises(Stopped):
        supervisor.wait_ready()


def test_a_job_that_fails_says_why(supervisor: Supervisor) -> None:
    with pytest.raises(PartFailed, match=r"migrate failed(.|\n)*no such table"):
        supervisor.run_job("migrate", ("sh", "-c", "echo no such table; exit 1"), dict(os.environ))


def test_stages_are_stopped_in_reverse(supervisor: Supervisor, tmp_path: Path) -> None:
    for name in ("postgres", "score", "ingest"):
        script = f"trap 'echo {name} >> {tmp_path}/stopped; exit' TERM; touch {tmp_path}/{name}; sleep 60 & wait"
        supervisor.start(a_part(name, script, ready=(tmp_path / name).exists))
    supervisor.wait_ready()
    supervisor.stop()
    assert (tmp_path / "stopped").read_text().split() == ["ingest", "score", "postgres"]


def test_stopping_leaves_no_process_not_even_those_that_ignore_it_or_hide(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    hiding = (
        f"trap '' TERM; setsid sleep 62 & echo $! > {tmp_path}/hidden; touch {tmp_path}/up; sleep 60; sleep 60"
    )
    supervisor.start(a_part(script=hiding, ready=(tmp_path / "up").exists))
    supervisor.wait_ready()
    pids = [supervisor.pids()["part"], int((tmp_path / "hidden").read_text())]
    supervisor.stop()
    assert [pid for pid in pids if alive(pid)] == []


def test_parts_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import threading, os, sys; from pathlib import Path\n"
        "from local.data_folder import DataFolder; from local.supervisor import Part, Supervisor\n"
        "supervisor = Supervisor(DataFolder(Path(sys.argv[1])), threading.Event(), print)\n"
        "supervisor.start(Part('part', ('sleep', '63'), lambda: True, dict(os.environ)))\n"
        "print(supervisor.pids()['part'], flush=True); threading.Event().wait()\n"
    )
    with subprocess.Popen([PYTHON, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        pid = int(process.stdout.readline())
        # Killed before the child asked to end with it, a supervisor leaves it to the next run's sweep.
        eventually(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n")
        process.kill()
    assert eventually(lambda: not alive(pid))


def test_the_log_of_the_run_before_is_kept_beside(tmp_path: Path) -> None:
    for words in ("first", "second"):
        supervisor = Supervisor(DataFolder(tmp_path), threading.Event(), print)
        supervisor.run_job("migrate", ("echo", words), dict(os.environ))
    assert (tmp_path / "logs" / "migrate.log").read_text() == "second\n"
    assert (tmp_path / "logs" / "migrate.log.1").read_text() == "first\n"


def test_a_held_part_stays_down_until_it_is_released(watched: Supervisor, told: list[str]) -> None:
    watched.start(a_part("redis"))
    watched.wait_ready()
    first = watched.pids()["redis"]
    watched.hold("redis")
    assert eventually(lambda: watched.is_down("redis") and told)
    assert told == ["redis ended (exit code -15): kept down"]
    assert watched.unready() == ["redis"]
    watched.release("redis")
    assert eventually(lambda: watched.pids()["redis"] != first and not watched.unready())


def test_a_released_part_has_what_it_is_told_for_one_life(watched: Supervisor, tmp_path: Path) -> None:
    lives = tmp_path / "lives"
    lives.touch()
    watched.start(a_part(script=f'echo "[$FAULT]" >> {lives}; sleep 64'))
    assert eventually(lambda: lives.read_text() == "[]\n")
    watched.hold("part")
    assert eventually(lambda: watched.is_down("part"))
    watched.release("part", {"FAULT": "record:kill"})
    assert eventually(lambda: lives.read_text() == "[]\n[record:kill]\n")
    os.kill(watched.pids()["part"], signal.SIGKILL)
    assert eventually(lambda: lives.read_text() == "[]\n[record:kill]\n[]\n")


def test_a_part_hangs_with_all_its_processes_until_it_may_go_on(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(a_part(script=f"sleep 65 & echo $! > {tmp_path}/child; wait"))
    child = int(eventually(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text().strip()))
    pids = [supervisor.pids()["part"], child]
    for number, state in ((signal.SIGSTOP, "T"), (signal.SIGCONT, "S")):
        supervisor.send("part", number)
        assert eventually(lambda state=state: [state_of(pid) for pid in pids] == [state] * 2)


def state_of(pid: int) -> str:
    """One letter: T is stopped, S sleeps."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
