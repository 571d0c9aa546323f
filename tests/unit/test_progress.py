"""Where stderr is no terminal, progress is a line a minute."""

from itertools import count

import pytest

from ml.progress import told


def test_a_line_a_minute_tells_how_much_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert len([*told("replaying", range(7), 7, clock=count(0, 25).__next__)]) == 7

    said = capsys.readouterr().err.splitlines()
    assert said == ["replaying: 3 of 7 so far", "replaying: 6 of 7 so far"]


def test_what_is_done_within_a_minute_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(told("replaying", "abc", clock=lambda: 59.0)) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""
