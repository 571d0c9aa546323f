"""Making the virtual environment with a bare Python."""

import ast
from pathlib import Path

import pytest

from local import bootstrap, debian

PYTHON = """#!/bin/sh
# Stands in for a Python: says its version, and writes down how it was called.
echo "$(basename $0) $*" >> {calls}
case "$*" in
  *print*) echo {version}; exit {complete} ;;
  *venv*) mkdir -p $3/bin; cp $0 $3/bin/python; exit 0 ;;
esac
exit {pip}
"""


def a_python(folder: Path, version: str, *, complete: bool = True, pip: int = 0) -> Path:
    """A stand-in for `pythonX.Y`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"python{version}"
    calls = folder / "calls"
    file.write_text(PYTHON.format(calls=calls, version=version, complete=0 if complete else 1, pip=pip))
    file.chmod(0o755)
    return file


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose only Pythons are those that the test puts in this folder's pyenv."""
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    return tmp_path / "pyenv" / "versions"


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    """A requirements file."""
    file = tmp_path / "requirements.txt"
    file.write_text("fastapi==1\n")
    return file


def test_pyenvs_newest_patch_level_is_taken(machine: Path) -> None:
    a_python(machine / "3.13.2" / "bin", "3.13")
    newest = a_python(machine / "3.13.10" / "bin", "3.13")
    a_python(machine / "3.11.99" / "bin", "3.11")
    assert bootstrap.choose_python() == ("3.13", str(newest))


def test_a_python_that_cannot_make_environments_is_passed_over(machine: Path) -> None:
    a_python(machine / "3.13.9" / "bin", "3.13", complete=False)
    usable = a_python(machine / "3.13.1" / "bin", "3.13")
    assert bootstrap.choose_python() == ("3.13", str(usable))


def test_an_environment_is_made_once(machine: Path, tmp_path: Path, requirements: Path) -> None:
    python = a_python(machine / "3.13.0" / "bin", "3.13")
    for _ in range(2):
        bootstrap.make_environment(tmp_path / "venv", requirements)
    calls = (python.parent / "calls").read_text()
    assert calls.count("-m venv") == 1
    assert calls.count("-m pip install") == 1


def test_changed_requirements_are_installed_into_the_same_environment(
    machine: Path, tmp_path: Path, requirements: Path
) -> None:
    python = a_python(machine / "3.13.0" / "bin", "3.13")
    bootstrap.make_environment(tmp_path / "venv", requirements)
    requirements.write_text("fastapi==2\n")
    bootstrap.make_environment(tmp_path / "venv", requirements)
    calls = (python.parent / "calls").read_text()
    assert calls.count("-m venv") == 1
    assert calls.count("-m pip install") == 2


def test_a_half_made_environment_is_made_again(machine: Path, tmp_path: Path, requirements: Path) -> None:
    broken = a_python(machine / "3.13.0" / "bin", "3.13", pip=1)
    with pytest.raises(bootstrap.CannotBootstrap, match="pip failed"):
        bootstrap.make_environment(tmp_path / "venv", requirements)
    (tmp_path / "venv" / "left-over").touch()
    a_python(broken.parent, "3.13")
    bootstrap.make_environment(tmp_path / "venv", requirements)
    assert not (tmp_path / "venv" / "left-over").exists()
    assert (tmp_path / "venv" / "complete").exists()


@pytest.mark.parametrize("module", [bootstrap, debian])
def test_a_python_3_9_can_read_it(module: object) -> None:
    source = Path(str(module.__file__)).read_text()  # type: ignore[attr-defined]
    assert ast.parse(source, feature_version=(3, 9)).body
