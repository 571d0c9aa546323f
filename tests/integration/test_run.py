"""`python -m local run`: the whole product on this machine, from start to stop."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.builders import a_posted_transaction
from tests.ports import free_port
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
DOORS = ("ingest", "score", "alerts")


@dataclass(frozen=True)
class Run:
    """A run that is ready."""

    process: subprocess.Popen[str]
    environment: dict[str, str]
    state: dict[str, Any]

    def command(self, word: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Another command on the same data folder."""
        return local_command(self.environment, word, *options)

    def pids(self) -> dict[str, int]:
        """The current process ids."""
        return dict(json.loads(self.command("status", "--json").stdout)["pids"])

    def is_healthy(self, door: str) -> bool:
        """Whether a door answers its health question with 200."""
        return answers_200(f"http://127.0.0.1:{self.environment[f'FRAUDSENSE_{door.upper()}_PORT']}/health")


def answers_200(url: str) -> bool:
    """Whether a GET is answered so."""
    with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own server
        return bool(answer.status == 200)
    return False


def local_command(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """`python -m local …`, run to its end."""
    command = [sys.executable, "-m", "local", *words]
    return subprocess.run(
        command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )


def environment_for(folder: Path, **more: str) -> dict[str, str]:
    """The environment of a run that gets in nobody's way."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FRAUDSENSE_")}
    ports = {f"FRAUDSENSE_{door}_PORT": str(free_port()) for door in ("INGEST", "SCORE", "ALERTS")}
    own = {"FRAUDSENSE_DATA_DIR": str(folder), "FRAUDSENSE_SAMPLE_TRAFFIC": "off"}
    return kept | ports | own | more


def first_words(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The object after READY on standard output."""
    assert process.stdout
    for line in process.stdout:
        if line.startswith("READY "):
            return dict(json.loads(line.removeprefix("READY ")))
    pytest.fail(f"it ended with {process.wait()} before it was ready")


@contextmanager
def started(environment: dict[str, str]) -> Iterator[Run]:
    """A run; ended by SIGTERM unless the test has ended it."""
    command = [sys.executable, "-m", "local", "run"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Run(process, environment, first_words(process))
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """One run for the tests that leave it whole."""
    with started(environment_for(tmp_path_factory.mktemp("run") / "data")) as one:
        yield one


def a_program(folder: Path, name: str, text: str) -> Path:
    """An executable file in a folder of its own."""
    file = folder / "bin" / name
    file.parent.mkdir()
    file.write_text(text)
    file.chmod(0o755)
    return file


def is_alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def left_behind(folder: Path) -> list[str]:
    """Processes that were started for a data folder and still run."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            marked = f"FRAUDSENSE_BELONGS_TO={folder}#".encode() in (process / "environ").read_bytes()
            if marked or (process / "cwd").readlink().is_relative_to(folder):
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


def test_it_says_where_everything_is(run: Run) -> None:
    assert set(run.state["urls"]) == {"ingest", "alerts", "database", "redis", "rabbitmq"}
    assert set(run.state["pids"]) == {"run", "ingest", "score", "alerts", "postgres", "redis", "rabbitmq"}
    assert all(is_alive(pid) for pid in run.state["pids"].values())
    assert run.state["pids"]["run"] == run.process.pid


def test_every_door_is_healthy(run: Run) -> None:
    assert [door for door in DOORS if not run.is_healthy(door)] == []


def test_status_says_the_same(run: Run) -> None:
    assert json.loads(run.command("status", "--json").stdout)["urls"] == run.state["urls"]


def test_enqueue_reaches_its_queue_without_being_told_where_it_is(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "transactions.jsonl"
    file.write_text(json.dumps(a_posted_transaction(transaction_id="enqueued-1")))
    ingest = run.state["urls"]["ingest"]

    enqueued = run.command("enqueue", str(file), "--json")

    assert (enqueued.returncode, enqueued.stderr) == (0, "")
    assert eventually(lambda: answers_200(f"{ingest}/transactions/enqueued-1"))


def test_a_second_run_in_the_same_folder_is_refused(run: Run) -> None:
    refused = run.command("run")
    assert refused.returncode == 2
    assert "already runs in" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert run.is_healthy("ingest")


@pytest.mark.parametrize("part", ["ingest", "score", "alerts", "postgres", "redis", "rabbitmq"])
def test_a_part_that_is_killed_comes_back(run: Run, part: str) -> None:
    killed = run.pids()[part]
    os.kill(killed, signal.SIGKILL)
    assert eventually(lambda: run.pids()[part] != killed)
    assert eventually(lambda: all(run.is_healthy(door) for door in DOORS))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_everything(tmp_path: Path, number: signal.Signals) -> None:
    with started(environment_for(tmp_path / "data", FRAUDSENSE_SAMPLE_TRAFFIC="on")) as one:
        one.process.send_signal(number)
        assert one.process.wait(60) == 0
    assert left_behind(tmp_path / "data") == []
    assert one.command("status").returncode == 1


def test_a_run_after_a_killed_one_works(tmp_path: Path) -> None:
    environment = environment_for(tmp_path / "data")
    with started(environment) as first:
        first.process.kill()
    with started(environment) as second:
        assert second.state["urls"] == first.state["urls"]
        assert second.is_healthy("ingest")


def test_a_port_that_is_taken_is_named_with_its_setting(tmp_path: Path) -> None:
    environment = environment_for(tmp_path / "data")
    with socket.create_server(("127.0.0.1", int(environment["FRAUDSENSE_ALERTS_PORT"]))):
        refused = local_command(environment, "run")
    assert refused.returncode == 2
    assert "set FRAUDSENSE_ALERTS_PORT to a free port" in refused.stderr


def test_status_says_on_standard_error_that_nothing_runs(tmp_path: Path) -> None:
    told = local_command(environment_for(tmp_path / "data"), "status", "--json")

    assert (told.returncode, told.stdout) == (1, "")
    assert "start it with `make run`" in told.stderr


@pytest.mark.parametrize(("command", "broker"), [("run", "servicebus"), ("run", "memory"), ("func", "servicebus")])
def test_a_broker_without_a_queue_here_is_refused_before_anything_starts(
    tmp_path: Path, command: str, broker: str
) -> None:
    core_tools = a_program(tmp_path, "func", "")
    environment = environment_for(tmp_path / "data", FRAUDSENSE_BROKER=broker, PATH=str(core_tools.parent))

    refused = local_command(environment, command)

    assert refused.returncode == 2
    assert "FRAUDSENSE_BROKER" in refused.stderr
    assert "Starting" not in refused.stdout


CORE_TOOLS = """#!{python}
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

Path("{notes}").write_text(json.dumps(dict(os.environ)))


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()


HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Healthy).serve_forever()
"""


def test_func_starts_core_tools_with_all_that_its_worker_needs(
    tmp_path: Path, services, database_url: str, redis_url: str, queue_name: str
) -> None:
    notes = tmp_path / "environment"
    core_tools = a_program(tmp_path, "func", CORE_TOOLS.format(python=sys.executable, notes=notes))
    environment = environment_for(
        tmp_path / "data",
        FRAUDSENSE_DATABASE_URL=database_url,
        FRAUDSENSE_REDIS_URL=redis_url,
        FRAUDSENSE_RABBITMQ_URL=services.rabbitmq,
        FRAUDSENSE_QUEUE_NAME=queue_name,
        PATH=f"{core_tools.parent}:{os.environ['PATH']}",
    )
    command = [sys.executable, "-m", "local", "func"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert any(line.startswith("Ingest") for line in process.stdout)
        finally:
            process.terminate()
            process.wait(60)

    given = json.loads(notes.read_text())
    assert given["FUNCTIONS_WORKER_RUNTIME"] == "python"
    assert shutil.which("python", path=given["PATH"]) == str(Path(sys.executable).with_name("python"))
    assert given["FRAUDSENSE_FUNCTIONS"] == "ingest,score"


def test_without_core_tools_func_says_what_to_install(tmp_path: Path) -> None:
    environment = environment_for(tmp_path / "data", PATH="/nowhere")
    refused = local_command(environment, "func")
    assert refused.returncode == 2
    assert "install azure-functions-core-tools-4" in refused.stderr
