"""Files that cannot be worked with: each command of `ml` says what is wrong with the file, and changes nothing."""

import csv
import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from random import Random

import pytest

from ml.__main__ import COMMANDS
from ml.simulate import COLUMNS
from ml.simulation.row import posted
from shared.command_line import main
from shared.csv_cells import ROUNDED
from shared.rules_file import SHIPPED_RULES
from tests.simulated import payments_of

DAYS = ("--train-from", "2025-01-05", "--train-to", "2025-01-20", "--test-from", "2025-01-22")
READERS = {
    "train": lambda path: ["train", "--data", path, "--out", f"{path}.model"],
    "evaluate": lambda path: ["evaluate", "--data", path, "--out", f"{path}.json", *DAYS],
    "backtest": lambda path: ["backtest", "--data", path, "--rules", str(SHIPPED_RULES)],
}
ALL = READERS | {"import-labels": lambda path: ["import-labels", path]}


def lines(*, is_fraud: int | None = None) -> list[str]:
    """A file of 30 simulated days by lines, its header first; `is_fraud` in place of the labels."""
    text = StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for number, payment in enumerate(payments_of(customers=60, days=30, fraud_share=0.02)):
        at = datetime.fromtimestamp(payment.at, UTC)
        label = int(payment.attack is not None) if is_fraud is None else is_fraud
        writer.writerow(posted(payment, f"sim-{number}", at) | {"is_fraud": label})
    return text.getvalue().splitlines(keepends=True)


def first(rows: int) -> str:
    """The header and so many rows."""
    return "".join(lines()[: rows + 1])


def packed(damaged: Callable[[bytes], bytes]) -> bytes:
    return damaged(gzip.compress("".join(lines()).encode()))


def unsorted() -> bytes:
    header, *rows = lines()
    return "".join([header, *rows[:10], *rows[20:50], *rows[10:20], *rows[50:]]).encode()


UNREADABLE: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is empty"),
    "packed and empty": (lambda: gzip.compress(b""), "is empty"),
    "no gzip after its first bytes": (lambda: b"\x1f\x8bno gzip", "damaged or cut short"),
    "other columns": (lambda: b"a,b,c\n1,2,3\n", "lacks"),
    "with semicolons": (lambda: first(8).replace(",", ";").encode(), "has semicolons between its cells"),
    "with tabs": (lambda: first(8).replace(",", "\t").encode(), "has tabs between its cells"),
    "Latin-1": (lambda: first(8).replace("sim", "sím").encode("latin-1"), "not text in UTF-8"),
    "UTF-16": (lambda: first(8).encode("utf-16"), "not text in UTF-8"),
    "no text": (lambda: bytes(1000), "first line must name"),
}
NO_TRANSACTIONS: dict[str, tuple[Callable[[], bytes], str]] = {
    "only a header": (lambda: first(0).encode(), "holds no transactions"),
    "cut short": (lambda: packed(lambda whole: whole[: len(whole) // 2]), "damaged or cut short after line"),
    "another checksum": (lambda: packed(lambda whole: whole[:-8] + b"abcd" + whole[-4:]), "damaged or cut short"),
    "unsorted": (unsorted, "is not in time order: transaction sim-10"),
    "one cell": (
        lambda: bytes(first(0) + "x\n", "utf-8"),
        "1 cells where the header names 15 columns",
    ),
}
TOO_LITTLE: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "ten rows, to train": ("train", lambda: first(10).encode(), "at least 1000"),
    "ten rows, to evaluate": (
        "evaluate",
        lambda: first(10).encode(),
        "holds 2025-01-01 to 2025-01-01",
    ),
}


def refusal(command: str, path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command says; it neither succeeds nor leaves anything beside the file."""
    assert main("python -m ml", "", COMMANDS, ALL[command](str(path))) == 2
    assert [*path.parent.iterdir()] == ([path] if path.exists() else [])
    return capsys.readouterr().err


UNREADABLE_BY_ALL = [
    pytest.param(command, *UNREADABLE[name], id=f"{name}-{command}") for name in UNREADABLE for command in ALL
]
HISTORY_OF_NONE = [
    pytest.param(command, *NO_TRANSACTIONS[name], id=f"{name}-{command}")
    for name in NO_TRANSACTIONS
    for command in READERS
]


@pytest.mark.parametrize(("command", "content", "sentence"), UNREADABLE_BY_ALL + HISTORY_OF_NONE)
def test_what_cannot_be_taken_is_named(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    content: Callable[[], bytes],
    sentence: str,
) -> None:
    path = tmp_path / "some.csv"
    path.write_bytes(content())

    said = refusal(command, path, capsys)

    assert str(path) in said
    assert sentence in said


@pytest.mark.parametrize(("command", "content", "sentence"), TOO_LITTLE.values(), ids=TOO_LITTLE)
def test_what_is_too_little_to_tell_anything_is_said(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    content: Callable[[], bytes],
    sentence: str,
) -> None:
    path = tmp_path / "some.csv"
    path.write_bytes(content())

    assert sentence in refusal(command, path, capsys)


@pytest.mark.parametrize("command", ALL)
def test_other_bytes_under_the_name_of_a_gzip_file_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    path = tmp_path / "some.csv.gz"
    path.write_bytes(Random(7).randbytes(1000))

    assert "some.csv.gz is neither a gzip file nor a CSV in UTF-8" in refusal(command, path, capsys)


@pytest.mark.parametrize("command", ALL)
def test_a_folder_and_a_missing_file_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert "missing.csv cannot be read: No such file" in refusal(command, tmp_path / "missing.csv", capsys)
    (tmp_path / "folder.csv").mkdir()
    assert "folder.csv cannot be read: Is a directory" in refusal(command, tmp_path / "folder.csv", capsys)


def renamed(names: dict[str, str], kept: tuple[str, ...]) -> str:
    """The file with these of its columns only, under other names where there are any."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow([names.get(name, name) for name in kept])
    writer.writerows([[row[name] for name in kept] for row in csv.DictReader(lines())])
    return text.getvalue()


HANDBOOK = {
    "transaction_id": "TRANSACTION_ID",
    "timestamp": "TX_DATETIME",
    "account_id": "CUSTOMER_ID",
    "merchant_id": "TERMINAL_ID",
    "amount": "TX_AMOUNT",
    "is_fraud": "TX_FRAUD",
}


def test_what_is_found_does_not_depend_on_the_columns_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known, named = tmp_path / "handbook.csv", tmp_path / "named.csv"
    known.write_text(renamed(HANDBOOK, tuple(HANDBOOK)).replace("Z,", ","))
    named.write_text(renamed({name: name[::-1] for name in HANDBOOK}, tuple(HANDBOOK)))
    options = ["--columns", *(f"{name}={name[::-1]}" for name in HANDBOOK)]

    found = []
    for path, more in ((known, []), (named, options)):
        assert main("python -m ml", "", COMMANDS, [*READERS["backtest"](str(path)), "--json", *more]) == 0
        found.append(json.loads(capsys.readouterr().out))

    assert found[0] == found[1]
    assert found[0]["frauds"] > 0


BAD_CELLS: dict[str, tuple[str, str]] = {
    "nothing paid": ("amount", "0.00"),
    "a refund": ("amount", "-5.00"),
    "no amount": ("amount", ""),
    "an unknown currency": ("currency", "XXY"),
    "no time": ("timestamp", "yesterday"),
    "a time to come": ("timestamp", "2999-01-01T00:00:00Z"),
    "no label": ("is_fraud", "maybe"),
}


def with_cells(name: str, cell: str, rows: range) -> bytes:
    """The file where this column of these rows, counted from 0, holds this cell."""
    table = list(csv.DictReader(lines()))
    for at in rows:
        table[at][name] = cell
    text = StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue().encode()


@pytest.mark.parametrize(("name", "cell"), BAD_CELLS.values(), ids=BAD_CELLS)
def test_one_bad_row_is_left_out_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, cell: str
) -> None:
    path = tmp_path / "some.csv"
    path.write_bytes(with_cells(name, cell, range(7, 8)))

    assert main("python -m ml", "", COMMANDS, READERS["backtest"](str(path))) == 0

    told = capsys.readouterr().err
    assert "rows are left out: 1 times" in told
    assert "(first in line 9)" in told


@pytest.mark.parametrize("command", READERS)
def test_bad_first_and_last_rows_stop_no_command(tmp_path: Path, command: str) -> None:
    path = tmp_path / "some.csv"
    path.write_bytes(with_cells("amount", "0.00", range(-3, 3)))

    assert main("python -m ml", "", COMMANDS, READERS[command](str(path))) == 0


@pytest.mark.parametrize("command", READERS)
def test_a_file_with_many_bad_rows_is_taken_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    path = tmp_path / "some.csv"
    path.write_bytes(with_cells("amount", "-5.00", range(0, len(lines()) - 1, 10)))

    assert main("python -m ml", "", COMMANDS, READERS[command](str(path))) == 0
    assert "WARNING: " in capsys.readouterr().err


def test_an_id_that_comes_again_is_left_out_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "some.csv"
    path.write_bytes(with_cells("transaction_id", "the-same", range(7, 10)))

    assert main("python -m ml", "", COMMANDS, READERS["backtest"](str(path))) == 0

    told = "left out: 2 times an earlier row has the same transaction id (first in line 10)"
    assert told in capsys.readouterr().err


def test_days_to_come_can_be_evaluated(tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_text("".join(lines()).replace(",2025-", ",2045-"))
    days = [word.replace("2025", "2045") for word in READERS["evaluate"](str(path))]

    assert main("python -m ml", "", COMMANDS, days) == 0
    assert json.loads(Path(f"{path}.json").read_text())["skipped"]["rows"] == 0


@pytest.mark.parametrize("command", READERS)
def test_too_many_bad_rows_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    path = tmp_path / "some.csv"
    rows = len(lines()) - 1
    path.write_bytes(with_cells("amount", "0.00", range(rows // 2 + 1)))

    assert f"rows cannot be used, more than 50%: {rows // 2 + 1:,} times /amount" in refusal(command, path, capsys)


def test_a_report_counts_what_was_left_out_and_adjusted(tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_bytes(with_cells("amount", "12.345678", range(7, 9)).replace(b"sim-20,", b",", 1))

    assert main("python -m ml", "", COMMANDS, READERS["evaluate"](str(path))) == 0

    assert json.loads(Path(f"{path}.json").read_text())["skipped"] == {
        "rows": 1,
        "by_reason": {"column transaction_id: is empty": 1},
        "first_line": {"column transaction_id: is empty": 22},
        "adjusted": {ROUNDED: 2},
    }


@pytest.mark.parametrize("command", READERS)
def test_the_same_file_whole_is_taken(tmp_path: Path, command: str) -> None:
    path = tmp_path / "some.csv.gz"
    path.write_bytes(packed(lambda whole: whole))

    assert main("python -m ml", "", COMMANDS, ALL[command](str(path))) == 0
