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


@pytest.mark.parametrize(("read", "bad"), [(4000, 0), (4000, 1), (100, 5), (99, 50), (1, 0), (0, 0)])
def test_a_few_bad_rows_stop_nothing(read: int, bad: int) -> None:
    after(read, bad).finish()


@pytest.mark.parametrize(
    ("read", "bad", "sentence"),
    [
        (100, 6, r"cards\.csv: 6 of 100 rows cannot be used, more than 5%: 6 times column amount: is no number"),
        (10, 10, r"cards\.csv holds no transactions that can be used: 10 times column amount"),
        (1, 1, r"1 times column amount: is no number \(first in line 2\)"),
    ],
)
def test_too_many_bad_rows_end_in_a_sentence(read: int, bad: int, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        after(read, bad).finish()


def test_the_end_of_a_hopeless_file_is_not_waited_for() -> None:
    skipped = after(5000, 999)

    with pytest.raises(UserError, match="1,000 of 5,000 rows cannot be used"):
        skipped.skip(1001, "column amount: is no number")


def test_what_was_left_out_or_adjusted_is_told() -> None:
    skipped = after(4000, 7)
    skipped.adjusted["times without a zone are read as UTC"] = 3993

    left_out, adjusted = skipped.sentences()

    told = "cards.csv: 7 of 4,000 rows are left out: 7 times column amount: is no number (first in line 2)."
    assert left_out == told
    assert adjusted == "cards.csv: 3,993 times without a zone are read as UTC."


def test_nothing_is_told_of_a_clean_file() -> None:
    assert not list(after(4000, 0).sentences())
