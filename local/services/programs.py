"""Finding the services' programs on this machine, and having Debian's installed where that is possible."""

import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from local import debian
from shared.command_line import UserError


@dataclass(frozen=True, slots=True)
class Program:
    """A program, Debian's package of it, where that puts it beside PATH, and what can be done without it."""

    name: str
    package: str
    places: tuple[str, ...] = ()
    otherwise: str = ""


def find(program: Program, search_path: str | None = None) -> Path | None:
    """The program's file; the newest version where there are several. `search_path` defaults to PATH."""
    found = [file for place in program.places for file in Path("/").glob(f"{place.lstrip('/')}/{program.name}")]
    if found:
        return max(found, key=_version)
    on_path = shutil.which(program.name, path=os.environ.get("PATH", "") if search_path is None else search_path)
    return Path(on_path) if on_path else None


def _version(file: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(file))]


def require(
    programs: Sequence[Program],
    tell: Callable[[str], None],
    *,
    can_install: Callable[[], bool] = debian.can_install,
    install: Callable[[Sequence[str], Callable[[str], None]], None] = debian.install,
) -> None:
    """Have all programs on this machine, installing what is missing in one go. Raises UserError."""
    missing = [program for program in programs if find(program) is None]
    if missing and can_install():
        try:
            install([program.package for program in missing], tell)
        except debian.InstallationFailed as error:
            raise UserError(str(error)) from error
        missing = [program for program in programs if find(program) is None]
    if missing:
        raise UserError(_what_to_do(missing))


def _what_to_do(missing: Sequence[Program]) -> str:
    names = ", ".join(program.name for program in missing)
    packages = " ".join(program.package for program in missing)
    otherwise = ", ".join(program.otherwise for program in missing if program.otherwise)
    return (
        f"{names} not found: install with `sudo apt-get install {packages}` (elsewhere: your system's packages)"
        + (f", or set {otherwise} to running servers." if otherwise else ".")
    )
