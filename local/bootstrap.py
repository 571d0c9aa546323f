"""Makes `.venv` from requirements.txt, then runs `python -m local` in it. Needs only a bare Python 3.9 or newer.

usage: bootstrap.py                 make the virtual environment, nothing else
       bootstrap.py --deploy        make `.venv-deploy`, with the tools that check what is deployed
       bootstrap.py --version       print the version of Python it would take
       bootstrap.py COMMAND [...]   make it, then run `python -m local COMMAND [...]`
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from local.debian import InstallationFailed, can_install, install  # noqa: E402 - found through the path above

VERSIONS = ("3.13", "3.12", "3.11")
_PROBE = "import sys; print('%d.%d' % sys.version_info[:2]); import ensurepip, venv"


class CannotBootstrap(Exception):
    """The virtual environment could not be made; the message says what to do."""


def main(arguments: list[str]) -> int:
    """Make the environment, then become `python -m local`; does not return where a command was given."""
    try:
        if arguments == ["--version"]:
            print(choose_python()[0])
            return 0
        if arguments == ["--deploy"]:
            make_deploy_environment()
            return 0
        python = make_environment(ROOT / ".venv", ROOT / "requirements.txt")
    except (CannotBootstrap, InstallationFailed) as error:
        print(f"fraudsense: {error}", file=sys.stderr)
        return 2
    if arguments:
        os.chdir(ROOT)
        os.execv(python, [str(python), "-m", "local", *arguments])  # noqa: S606 - no shell is wanted
    return 0


def make_deploy_environment() -> None:
    """The environment of `make check-deploy`; and promtool, which only Debian packages, for those who may."""
    make_environment(ROOT / ".venv-deploy", ROOT / "requirements-deploy.txt")
    if shutil.which("promtool") is None and can_install():
        install(["prometheus"], tell)


def make_environment(folder: Path, requirements: Path) -> Path:
    """The environment's Python; made or completed first where its stamp is not that of the requirements."""
    python, stamp = folder / "bin" / "python", folder / "complete"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if _stamped(python, stamp) == wanted:
        return python
    with Path(__file__).open() as lock:  # any file serves; two first calls at once must not make it twice
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = _stamped(python, stamp)
        if found is None:
            _create(folder)
        if found != wanted:
            stamp.unlink(missing_ok=True)
            _install_requirements(python, requirements)
            stamp.write_text(wanted)
    return python


def _stamped(python: Path, stamp: Path) -> str | None:
    """The stamp, or None where the environment is missing or half made."""
    return stamp.read_text() if python.exists() and stamp.exists() else None


def _create(folder: Path) -> None:
    if folder.exists():
        tell("The virtual environment is incomplete: making it again")
        shutil.rmtree(folder)
    version, python = choose_python()
    tell(f"Making the virtual environment with Python {version} ({python})")
    if subprocess.run([python, "-m", "venv", str(folder)], check=False).returncode:
        raise CannotBootstrap(f"{python} could not make {folder}: see its message above, then run this again.")


def _install_requirements(python: Path, requirements: Path) -> None:
    tell("Installing the Python packages (first time, or requirements.txt changed)")
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--require-hashes"]
    # `make lock` resolved the list, against checkov's own wish for pycep-parser, which pip would insist on.
    if subprocess.run([*pip, "--no-deps", "-r", str(requirements)], check=False, stdout=2).returncode:
        raise CannotBootstrap("pip failed: see its message above, then run this again.")


def choose_python() -> tuple[str, str]:
    """(version, program) of the newest suitable Python here. Raises CannotBootstrap."""
    incomplete = []
    for version in VERSIONS:
        for program in candidates(version):
            answer = _probe(program)
            if answer == (version, True):
                return version, program
            if answer == (version, False) and program == f"/usr/bin/python{version}":
                incomplete.append(version)
    if not incomplete:
        raise CannotBootstrap("Python 3.11, 3.12 or 3.13 is needed: install one of them, then run this again.")
    return _complete_debians_python(incomplete[0])


def _complete_debians_python(version: str) -> tuple[str, str]:
    package = f"python{version}-venv"
    if not can_install():
        raise CannotBootstrap(
            f"Python {version} cannot make virtual environments here: run `sudo apt-get install {package}`."
        )
    install([package], tell)
    program = f"/usr/bin/python{version}"
    if _probe(program) != (version, True):
        raise CannotBootstrap(f"{program} still cannot make virtual environments: run `{program} -m ensurepip`.")
    return version, program


def candidates(version: str) -> Iterator[str]:
    """Programs that may be this version of Python, pyenv's first (its entries on PATH may be inactive)."""
    for home in (os.environ.get("PYENV_ROOT"), str(Path.home() / ".pyenv")):
        if home:
            found = Path(home, "versions").glob(f"{version}.*/bin/python{version}")
            yield from map(str, sorted(found, key=_patch_level, reverse=True))
    folders = ["/usr/local/bin", "/usr/bin", *os.environ.get("PATH", "").split(os.pathsep)]
    for folder in dict.fromkeys(folders):
        program = Path(folder, f"python{version}")
        if program.exists():
            yield str(program)


def _patch_level(program: Path) -> int:
    patch = program.parents[1].name.split(".")[-1]
    return int(patch) if patch.isdigit() else -1


def _probe(program: str) -> tuple[str, bool]:
    """(version, whether it can make virtual environments); an empty version where it does not run."""
    try:
        result = subprocess.run([program, "-c", _PROBE], check=False, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return "", False
    return result.stdout.strip(), result.returncode == 0


def tell(text: str) -> None:
    """One line of progress for the user; standard output is left to the command."""
    print(f"fraudsense: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
