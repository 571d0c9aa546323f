"""Installing Debian packages, for those who are root. Also read by the system's own Python (3.9 or newer)."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ETC, POLICY = Path("/etc"), Path("/usr/sbin/policy-rc.d")
_OURS = "#!/bin/sh\n# FraudSense is installing packages: their services stay off.\nexit 101\n"


class InstallationFailed(Exception):
    """The packages could not be installed; the message says what to do."""


def can_install() -> bool:
    """Whether this process may install Debian packages."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: Sequence[str], tell: Callable[[str], None]) -> None:
    """Install packages without starting the services they bring, now or at boot. Raises InstallationFailed."""
    names = " ".join(packages)
    tell(f"Installing Debian packages: {names} (first time only)")
    with services_stay_off(POLICY), services_stay_off_at_boot(ETC, _run_where_it_exists):
        _apt_get("update", "-qq")
        try:
            _apt_get("install", "-y", "-qq", "--no-install-recommends", *packages)
        except subprocess.CalledProcessError as error:
            raise InstallationFailed(
                f"`apt-get install {names}` failed: mend what it says above, then run this again."
            ) from error


@contextmanager
def services_stay_off(policy: Path) -> Iterator[None]:
    """While this lasts, packages find a policy that forbids them to start services."""
    before = policy.read_text() if policy.exists() else None
    kept_mode = policy.stat().st_mode if before is not None else 0
    policy.write_text(_OURS)
    policy.chmod(0o755)
    try:
        yield
    finally:
        if before is None or before == _OURS:
            policy.unlink()
        else:
            policy.write_text(before)
            policy.chmod(kept_mode)


@contextmanager
def services_stay_off_at_boot(etc: Path, run: Callable[[Sequence[str]], None]) -> Iterator[None]:
    """Afterwards, run the commands that disable what was not started at boot before."""
    before = set(_disabling_commands(etc))
    try:
        yield
    finally:
        for command in sorted(set(_disabling_commands(etc)) - before):
            run(command)


def _disabling_commands(etc: Path) -> Iterator[tuple[str, ...]]:
    """One for each unit and each init script that is started at boot."""
    yield from (("systemctl", "disable", unit.name) for unit in etc.glob("systemd/system/*.wants/*"))
    yield from (("update-rc.d", link.name[len("S01") :], "disable") for link in etc.glob("rc[2-5].d/S??*"))


def _run_where_it_exists(command: Sequence[str]) -> None:
    if shutil.which(command[0]):
        subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True)


def _apt_get(*arguments: str) -> None:
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    # A session of its own: Ctrl-C must not leave packages half configured. Standard output may be read by
    # programs, so apt's own words go to standard error.
    subprocess.run(
        ["apt-get", "-o", "DPkg::Lock::Timeout=300", *arguments],
        check=arguments[0] != "update",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=2,
        start_new_session=True,
    )
