"""Rows that cannot be used: one of them stops nothing, too many do, and both are told."""

import pytest

from shared.command_line import UserError
from shared.skipped_rows import SkippedRows


def after(read: int, bad: int) -> SkippedRows:
    """So many rows read, the first `bad` of them left out."""
    skipped = SkippedRows("cards.csv", read=read)
    for line in range(2, bad + 2):
        skipped.skip(line, "column amount: is no number.")
    return skipped


@pytest.mark.parametrize(
    ("read", "bad"), [(4000, 0), (4000, 1), (4000, 2000), (100, 50), (99, 98), (1, 0), (0, 0)]
)
def test_a_few_bad_rows_stop_nothing(read: int, bad: int) -> None:
    skipped = after(read, bad)

    skipped.finish()

    assert (skipped.read, skipped.rows) == (read, bad)


@pytest.mark.parametrize(
    ("read", "bad", "sentence"),
    [
        (
            100,
            51,
            r"cards\.csv: 51 of 100 rows cannot be used, more than 50%: 51 times column amount: is no number",
        ),
        (10, 10, r"cards\.csv holds no transactions that can be used: 10 times column amount"),
        (1, 1, r"1 times column amount: is no number \(first in line 2\)"),
    ],
)
def test_too_many_bad_rows_end_in_a_sentence(read: int, bad: int, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        after(read, bad).finish()


@pytest.mark.parametrize(("read", "bad", "is_warned"), [(100, 5, False), (100, 6, True), (99, 50, False)])
def test_many_bad_rows_are_told_as_a_warning(read: int, bad: int, is_warned: bool) -> None:
    (told,) = after(read, bad).sentences()

    assert told.startswith("WARNING: cards.csv: " if is_warned else "cards.csv: ")


def test_rows_may_be_bad_at_the_start_and_good_later() -> None:
    skipped = after(1000, 1000)
    skipped.read = 2000

    skipped.finish()

    assert skipped.rows == 1000


def test_what_was_left_out_or_adjusted_is_told() -> None:
    skipped = after(4000, 7)
    skipped.adjusted["times without a zone are read as UTC"] = 3993

    left_out, adjusted = skipped.sentences()

    told = "cards.csv: 7 of 4,000 rows are left out: 7 times column amount: is no number (first in line 2)."
    assert left_out == told
    assert adjusted == "cards.csv: 3,993 times without a zone are read as UTC."


def test_nothing_is_told_of_a_clean_file() -> None:
    assert not list(after(4000, 0).sentences())
