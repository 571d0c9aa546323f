"""Building the image on this machine, as far as it needs no podman: where it keeps what it makes, what it says."""

import argparse
import os
from pathlib import Path

import pytest

from local.image import command
from local.image.podman import Podman, PodmanFailed
from shared.command_line import UserError


@pytest.fixture
def saying_podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program on the PATH that repeats how podman was called, and fails where it is asked to."""
    program = tmp_path / "bin" / "podman"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\necho "$CONTAINERS_CONF $*"\ncase "$*" in *rm*) echo no such image >&2; exit 125 ;; esac\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return tmp_path / "folder"


def test_podman_keeps_everything_in_the_folder_that_it_is_given(saying_podman: Path) -> None:
    said = Podman(saying_podman)("images")

    assert f"{saying_podman}/containers.conf --root {saying_podman}/storage" in said
    assert 'runtime = "runc"' in (saying_podman / "containers.conf").read_text()


def test_what_podman_says_when_it_fails_is_in_the_error(saying_podman: Path) -> None:
    with pytest.raises(PodmanFailed, match=r"podman rm failed \(125\): no such image"):
        Podman(saying_podman)("rm", "something")


def test_the_runtimes_folder_has_a_short_path_however_long_the_other_is() -> None:
    words = Podman(Path("/a-long-name" * 20)).command("images")

    assert len(words[words.index("--runroot") + 1]) <= 50


def test_two_checkouts_do_not_share_the_runtimes_folder() -> None:
    assert Podman(Path("/one")).command()[4] != Podman(Path("/two")).command()[4]


def test_who_is_not_root_reads_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(UserError, match="sudo make image-test"):
        command.run(argparse.Namespace(pytest_arguments=[]))
