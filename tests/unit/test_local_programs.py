"""Finding the services' programs, and what is said or done where they are missing."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from local.debian import services_stay_off, services_stay_off_at_boot
from local.services import programs
from local.services.programs import Program, find, require
from shared.command_line import UserError

ABSENT = Program("no-such-server", "no-such-package", otherwise="FRAUDSENSE_REDIS_URL")


def a_program(folder: Path, name: str) -> Path:
    """An executable file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def test_a_program_is_found_on_the_path(tmp_path: Path) -> None:
    file = a_program(tmp_path, "redis-server")
    assert find(Program("redis-server", "redis-server"), search_path=str(tmp_path)) == file


def test_a_program_is_missing_where_the_path_lacks_it(tmp_path: Path) -> None:
    assert find(Program("redis-server", "redis-server"), search_path=str(tmp_path)) is None


def test_the_newest_of_several_versions_is_taken(tmp_path: Path) -> None:
    a_program(tmp_path / "9" / "bin", "postgres")
    newest = a_program(tmp_path / "16" / "bin", "postgres")
    assert find(Program("postgres", "postgresql", (f"{tmp_path}/*/bin",))) == newest


def test_who_cannot_install_reads_one_sentence_with_package_and_setting() -> None:
    with pytest.raises(UserError) as told:
        require([ABSENT], print, can_install=lambda: False)
    assert str(told.value) == (
        "no-such-server not found: install with `sudo apt-get install no-such-package` (elsewhere: your system's"
        " packages), or set FRAUDSENSE_REDIS_URL to running servers."
    )


def test_all_that_is_missing_is_installed_in_one_go(tmp_path: Path) -> None:
    wanted = [Program(name, f"package-{name}", (str(tmp_path),)) for name in ("one", "two")]
    installed: list[Sequence[str]] = []

    def install(packages: Sequence[str], _: Callable[[str], None]) -> None:
        installed.append(packages)
        for program in wanted:
            a_program(tmp_path, program.name)

    require(wanted, print, can_install=lambda: True, install=install)
    assert installed == [["package-one", "package-two"]]


def test_an_installation_that_fails_is_a_sentence() -> None:
    def install(packages: Sequence[str], _: Callable[[str], None]) -> None:
        raise programs.debian.InstallationFailed("`apt-get install x` failed.")

    with pytest.raises(UserError, match="`apt-get install x` failed"):
        require([ABSENT], print, can_install=lambda: True, install=install)


def test_packages_must_not_start_services_while_they_are_installed(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with services_stay_off(policy):
        assert "exit 101" in policy.read_text()
        assert policy.stat().st_mode & 0o111
    assert not policy.exists()


def test_a_policy_that_was_there_is_put_back(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 0\n")
    policy.chmod(0o700)
    with pytest.raises(ZeroDivisionError), services_stay_off(policy):
        _ = 1 / 0
    assert policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert policy.stat().st_mode & 0o777 == 0o700


def test_only_what_the_packages_add_to_the_boot_is_disabled(tmp_path: Path) -> None:
    wants, level = tmp_path / "systemd" / "system" / "multi-user.target.wants", tmp_path / "rc2.d"
    for folder in (wants, level):
        folder.mkdir(parents=True)
    for link in (wants / "ssh.service", level / "S01ssh", level / "K01redis-server"):
        link.touch()
    commands: list[Sequence[str]] = []

    with services_stay_off_at_boot(tmp_path, commands.append):
        for link in (wants / "redis-server.service", level / "S02redis-server", level / "README"):
            link.touch()

    assert commands == [
        ("systemctl", "disable", "redis-server.service"),
        ("update-rc.d", "redis-server", "disable"),
    ]
