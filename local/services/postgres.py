"""A private PostgreSQL. It refuses to run as root, so root lends it the user that Debian's package made."""

import os
import pwd
import shutil
import stat
import subprocess
from functools import partial
from pathlib import Path
from signal import SIGINT

from local import processes
from local.data_folder import DataFolder, write_private
from local.ports import kept_port
from local.services.programs import Program, find
from local.services.service import Service, clean_environment
from local.supervisor import Part
from shared.command_line import UserError

_PLACES = ("/usr/lib/postgresql/1[5-9]/bin", "/usr/lib/postgresql/[2-9][0-9]/bin", "/usr/pgsql-1[5-9]/bin")
SERVER = Program("postgres", "postgresql", _PLACES, otherwise="FRAUDSENSE_DATABASE_URL")
PROGRAMS = (SERVER,)
USER = "fraudsense"
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
}


def prepare(folder: DataFolder) -> Service:
    """Make its data where missing or half made. Raises UserError where its programs cannot serve the data."""
    home, data, password = folder.sub("postgres"), folder.path / "postgres" / "data", folder.password("postgres")
    programs = Path(str(find(SERVER))).parent
    if not (home / "complete").exists():
        _make_data(home, programs, password)
    programs = _programs_for(data, programs)
    _forget_killed_server(home, data)
    port = kept_port(folder, "postgres")
    options = [word for name, value in _OPTIONS.items() for word in ("-c", f"{name}={value}")]
    part = Part(
        name="postgres",
        command=(str(programs / "postgres"), "-D", str(data), "-p", str(port), *options),
        ready=partial(_accepts, programs / "pg_isready", port),
        environment=clean_environment(),
        cwd=home,
        privileges=_privileges(home),
        stop_signal=SIGINT,
        stop_seconds=30,
    )
    return Service(f"postgresql://{USER}:{password}@127.0.0.1:{port}/{USER}", (part,))


def _make_data(home: Path, programs: Path, password: str) -> None:
    shutil.rmtree(home)
    home.mkdir(mode=0o700)
    secret = home / "password"
    write_private(secret, password)
    if os.geteuid() == 0:
        for path in (home, secret):
            shutil.chown(path, _lent_user().pw_uid, _lent_user().pw_gid)
    who = ["--username", USER, "--pwfile", str(secret), "--auth", "scram-sha-256"]
    _run(home, [str(programs / "initdb"), "--pgdata", str(home / "data"), *who, "--encoding=UTF8", "--locale=C"])
    _run(
        home,
        [str(programs / "postgres"), "--single", "-D", str(home / "data"), "postgres"],
        f"CREATE DATABASE {USER}",
    )
    secret.unlink()
    (home / "complete").touch()


def _forget_killed_server(home: Path, data: Path) -> None:
    """Remove the lock file of a server that was killed.

    PostgreSQL itself trusts that file where the process id is in use again, or its process was never waited for.
    """
    if processes.no_postgres_in(home):
        (data / "postmaster.pid").unlink(missing_ok=True)


def _run(home: Path, command: list[str], text: str = "") -> None:
    switch = ["setpriv", *_privileges(home)] if _privileges(home) else []
    result = subprocess.run(
        [*switch, *command],
        check=False,
        cwd=home,
        env=clean_environment(),
        input=text,
        text=True,
        capture_output=True,
    )
    if result.returncode:
        said = (result.stderr.strip() or result.stdout.strip()).replace("\n", " ")
        raise UserError(f"PostgreSQL could not make its data in {home}: {said}")


def _programs_for(data: Path, newest: Path) -> Path:
    """The folder of the programs whose version made the data: PostgreSQL reads no other version's."""
    version = (data / "PG_VERSION").read_text().strip()
    beside = Path(str(newest).replace(newest.parent.name, version))
    if beside.is_dir():
        return beside
    said = subprocess.run([newest / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    if f" {version}." not in said:
        raise UserError(
            f"{data} was made by PostgreSQL {version}, which is not on this machine: install "
            f"postgresql-{version}, or delete {data.parents[1]} to start afresh."
        )
    return newest


def _lent_user() -> pwd.struct_passwd:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return pwd.getpwnam("postgres" if "postgres" in names else "nobody")


def _privileges(home: Path) -> tuple[str, ...]:
    """setpriv's options: as root another user, who may search folders where one above is closed to him."""
    if os.geteuid() != 0:
        return ()
    user = _lent_user()
    switch = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
    if all(folder.stat().st_mode & stat.S_IXOTH for folder in home.parents):
        return switch
    return (*switch, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")


def _accepts(pg_isready: Path, port: int) -> bool:
    command = [str(pg_isready), "--quiet", "--host=127.0.0.1", f"--port={port}"]
    return subprocess.run(command, env=clean_environment(), check=False).returncode == 0
