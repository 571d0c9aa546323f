"""Compiles the AMQP library of a test double where that is possible; run as a program it says whether it is."""

import subprocess
import sys
import sysconfig
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from local.debian import InstallationFailed, can_install, install
from local.supervisor import ROOT

REQUIREMENTS = ROOT / "requirements-servicebus.txt"


def install_proton(tell: Callable[[str], None]) -> None:
    """Compile python-qpid-proton unless it is there; else its tests are skipped and say what to do."""
    if find_spec("proton") is not None:
        return
    if not _can_compile():
        if not _can_install_compiler():
            return
        try:
            _install_compiler(tell)
        except InstallationFailed as error:
            tell(str(error))
            return
    tell("Compiling python-qpid-proton for the test double of Service Bus (first time only, about half a minute)")
    # Its build tools stand in requirements.txt: with an environment of its own, pip would fetch others unchecked.
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "-q"]
    command = [*pip, "--require-hashes", "--no-build-isolation", "-r", str(REQUIREMENTS)]
    if subprocess.run(command, check=False, stdout=2).returncode:
        tell("It could not be compiled: the tests that need it are skipped.")


def _can_compile() -> bool:
    """Whether the C compiler of this Python works with Python's headers."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()
    check = [*compiler, "-fsyntax-only", "-x", "c", f"-I{sysconfig.get_path('include')}", "-"]
    try:
        return (
            subprocess.run(check, check=False, input=b"#include <Python.h>", capture_output=True).returncode == 0
        )
    except OSError:
        return False


def _can_install_compiler() -> bool:
    """Only Debian's own Python has its headers in a package."""
    return Path(sysconfig.get_path("include")).is_relative_to("/usr/include") and can_install()


def _install_compiler(tell: Callable[[str], None]) -> None:
    """Raises InstallationFailed."""
    version = "{}.{}".format(*sys.version_info)
    install(["gcc", "libc6-dev", f"python{version}-dev"], tell)


if __name__ == "__main__":
    print("yes" if _can_compile() or _can_install_compiler() else "no")
