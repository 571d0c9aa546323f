"""Private services: their data survives, accidents are mended, nothing stays behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
import redis

from local import processes
from local.data_folder import DataFolder, hold
from local.services import prepare
from local.services.service import Service
from local.supervisor import Supervisor

LISTENING, LOOPBACK, LOOPBACK_6 = "0A", "0100007F", "00000000000000000000000001000000"
PRIVATE = """
import threading, sys
from pathlib import Path
from local.data_folder import hold
from local.services import prepare
from local.supervisor import Supervisor
with hold(Path(sys.argv[1])) as folder:
    supervisor = Supervisor(folder, threading.Event(), print)
    supervisor.start(*(part for one in prepare(sys.argv[2:], folder, print).values() for part in one.parts))
    supervisor.wait_ready()
    print("ready", flush=True)
    threading.Event().wait()
"""


@contextmanager
def running(path: Path, name: str) -> Iterator[tuple[str, int]]:
    """One private service in a folder: its URL and process id."""
    with supervised(path, name) as (service, supervisor):
        yield service.url, supervisor.pids()[service.parts[-1].name]


@contextmanager
def supervised(path: Path, name: str) -> Iterator[tuple[Service, Supervisor]]:
    """One private service in a folder, ready."""
    with hold(path) as folder:
        supervisor = Supervisor(folder, threading.Event(), print)
        try:
            service = prepare([name], folder, print)[name]
            supervisor.start(*service.parts)
            supervisor.wait_ready()
            yield service, supervisor
        finally:
            supervisor.stop()


def processes_of(path: Path) -> list[int]:
    """Processes that belong to a data folder."""
    mark = DataFolder(path).mark.encode()
    return [
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if int(process.name) != os.getpid() and (_has(process, mark) or _works_in(process, path))
    ]


def _has(process: Path, mark: bytes) -> bool:
    try:
        return mark in (process / "environ").read_bytes()
    except OSError:
        return False


def _works_in(process: Path, path: Path) -> bool:
    try:
        return (process / "cwd").readlink().is_relative_to(path)
    except OSError:
        return False


def open_files(pid: int) -> Iterator[str]:
    """What a process has open; files, and the process itself, may be gone by the time they are looked at."""
    with suppress(FileNotFoundError):
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                yield str(file.readlink())


def listening_addresses(pids: list[int]) -> Iterator[str]:
    """The addresses, as the kernel writes them, of the TCP sockets on which these processes listen."""
    sockets = {target for pid in pids for target in open_files(pid)}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for row in (line.split() for line in Path(table).read_text().splitlines()[1:]):
            if row[3] == LISTENING and f"socket:[{row[9]}]" in sockets:
                yield row[1].split(":")[0]


def count_after_adding_one(url: str) -> int:
    """Rows of a table after one more was written."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (n serial)")
        connection.execute("INSERT INTO kept DEFAULT VALUES")
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
        return int(row[0]) if row else 0


def test_postgresql_finds_its_data_and_address_again_and_stops_whole(tmp_path: Path) -> None:
    with running(tmp_path, "database") as (first, _):
        assert count_after_adding_one(first) == 1
    assert processes_of(tmp_path) == []
    with running(tmp_path, "database") as (second, _):
        assert second == first
        assert count_after_adding_one(second) == 2


def test_postgresql_recovers_from_a_kill_of_everything(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PRIVATE, str(tmp_path), "database"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.kill()
    with running(tmp_path, "database") as (url, _):
        assert count_after_adding_one(url) == 1


def test_a_lock_file_whose_process_id_is_in_use_again_does_not_stop_postgresql(tmp_path: Path) -> None:
    with running(tmp_path, "database"):
        lock = (tmp_path / "postgres" / "data" / "postmaster.pid").read_text()
    stale = tmp_path / "postgres" / "data" / "postmaster.pid"
    with subprocess.Popen(["sleep", "60"]) as other:
        stale.write_text("\n".join([str(other.pid), *lock.splitlines()[1:]]))
        with running(tmp_path, "database") as (url, _):
            assert count_after_adding_one(url) == 1
        other.kill()


def test_data_that_was_left_half_made_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "postgres" / "data").mkdir(parents=True)
    (tmp_path / "postgres" / "data" / "PG_VERSION").write_text("15\n")
    with running(tmp_path, "database") as (url, _):
        assert count_after_adding_one(url) == 1


def test_postgresql_works_below_a_folder_that_is_closed_to_others(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with running(closed / "data", "database") as (url, _):
        assert count_after_adding_one(url) == 1


def test_postgresql_takes_its_password_only(tmp_path: Path) -> None:
    with running(tmp_path, "database") as (url, _):
        guessed = url.replace(DataFolder(tmp_path).password("postgres"), "guessed")
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(guessed)


def test_a_service_whose_port_was_taken_meanwhile_moves(tmp_path: Path) -> None:
    with running(tmp_path, "redis") as (first, _):
        redis.Redis.from_url(first).set("kept", "1")
    port = int(first.split(":")[-1].split("/")[0])
    with socket.create_server(("127.0.0.1", port)), running(tmp_path, "redis") as (second, _):
        assert second != first
        assert redis.Redis.from_url(second).get("kept") == b"1"


def test_redis_refuses_writes_rather_than_forget(tmp_path: Path) -> None:
    with running(tmp_path, "redis") as (url, _), redis.Redis.from_url(url) as client:
        configured = {name: client.config_get(name)[name] for name in ("maxmemory-policy", "appendfsync", "bind")}
    assert configured == {"maxmemory-policy": "noeviction", "appendfsync": "everysec", "bind": "127.0.0.1"}


def test_rabbitmq_and_its_helpers_listen_on_loopback_only_and_all_end(tmp_path: Path) -> None:
    with running(tmp_path, "rabbitmq"):
        addresses = set(listening_addresses(processes_of(tmp_path)))
        assert addresses == {LOOPBACK, LOOPBACK_6}
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize("name", ["database", "redis", "rabbitmq"])
def test_a_service_that_is_told_to_hang_hangs(tmp_path: Path, name: str) -> None:
    with supervised(tmp_path, name) as (service, supervisor):
        part = service.parts[-1].name
        supervisor.send(part, signal.SIGSTOP)
        assert supervisor.unready(part) == [part]
        supervisor.send(part, signal.SIGCONT)
        assert supervisor.unready(part) == []


def test_a_sweep_ends_what_belongs_to_the_folder_and_nothing_else(tmp_path: Path) -> None:
    def sleeper(name: str) -> subprocess.Popen[bytes]:
        folder = tmp_path / name
        folder.mkdir()
        mark = f"{DataFolder(folder).mark}/part"
        return processes.spawn(("sleep", "60"), mark=mark, environment={}, cwd=tmp_path, log=folder / "log")

    ours, others = sleeper("a"), sleeper("ab")
    processes.sweep(DataFolder(tmp_path / "a").mark, tmp_path / "a")
    assert ours.wait(5) == -signal.SIGKILL
    assert others.poll() is None
    others.kill()
    others.wait()
