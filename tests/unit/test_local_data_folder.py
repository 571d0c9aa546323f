"""The data folder of the local build."""

import fcntl
import os
import stat
from pathlib import Path
from threading import Timer

import pytest

from local.data_folder import STATE, DataFolder, held_state, hold
from shared.command_line import UserError


def test_a_folder_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    with hold(tmp_path / "data"), pytest.raises(UserError, match=r"already runs in .*data.*process \d+"):
        hold(tmp_path / "data").__enter__()


def test_a_folder_can_be_held_again_afterwards(tmp_path: Path) -> None:
    with hold(tmp_path):
        pass
    with hold(tmp_path) as folder:
        assert folder.path == tmp_path


def test_a_folder_that_cannot_be_made_is_a_sentence_with_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="set FRAUDSENSE_DATA_DIR to another folder"):
        hold(tmp_path / "file" / "data").__enter__()


def test_a_password_is_drawn_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    assert folder.password("redis") == folder.password("redis")
    assert stat.S_IMODE((tmp_path / "redis.password").stat().st_mode) == 0o600


def test_the_state_of_a_folder_that_nobody_holds_is_stale(tmp_path: Path) -> None:
    with hold(tmp_path) as folder:
        folder.write_json(STATE, {"pids": {"run": 1}})
        assert held_state(tmp_path) == {"pids": {"run": 1}}
    assert held_state(tmp_path) is None


def test_a_reader_that_looks_just_now_does_not_keep_a_folder_from_being_held(tmp_path: Path) -> None:
    with hold(tmp_path):
        pass
    reader = (tmp_path / "lock").open()
    fcntl.flock(reader, fcntl.LOCK_SH)
    Timer(0.05, reader.close).start()
    with hold(tmp_path) as folder:
        assert folder.path == tmp_path


def test_two_readers_of_a_folder_that_nobody_holds_do_not_take_each_other_for_a_run(tmp_path: Path) -> None:
    with hold(tmp_path) as folder:
        folder.write_json(STATE, {"pids": {"run": 1}})
    with (tmp_path / "lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert held_state(tmp_path) is None


def test_the_refusal_names_no_process_that_has_let_go(tmp_path: Path) -> None:
    with hold(tmp_path):
        assert (tmp_path / "lock").read_text() == str(os.getpid())
    assert (tmp_path / "lock").read_text() == ""


def test_a_file_that_was_cut_off_counts_as_missing(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text('{"redis": 1')
    assert DataFolder(tmp_path).read_json("ports.json") == {}
