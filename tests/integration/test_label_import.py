"""`python -m ml import-labels`: files of labels into PostgreSQL, line by line, and again without harm."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from ml.__main__ import COMMANDS
from shared.command_line import main
from shared.csv_cells import as_identifier
from shared.database.recorder import PostgresRecorder
from tests.builders import a_scored_transaction
from tests.contract.books import TABLES

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def importing(database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Imports on an emptied database that knows txn-1: exit code, output and errors."""
    monkeypatch.setenv("FRAUDSENSE_DATABASE_URL", database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {TABLES}")
    recorder = PostgresRecorder(database_url)
    recorder.record([a_scored_transaction("txn-1")], [])
    recorder.close()

    def run(*words: object) -> tuple[int, str, str]:
        code = main("python -m ml", "", COMMANDS, ["import-labels", *map(str, words)])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def a_file(tmp_path: Path) -> Callable[..., Path]:
    def write(*lines: str) -> Path:
        file = tmp_path / "labels.csv"
        file.write_text("\n".join(lines) + "\n")
        return file

    return write


def kept(url: str) -> list[tuple[str, str, str, str | None]]:
    query = "SELECT transaction_id, source, label, by FROM labels ORDER BY 1, 2"
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def known_at(url: str, transaction_id: str) -> datetime:
    query = "SELECT labelled_at FROM labels WHERE transaction_id = %s"
    with psycopg.connect(url) as connection:
        row = connection.execute(query, [transaction_id]).fetchone()
    assert row is not None
    found: datetime = row[0]
    return found


def counts(told: str) -> dict[str, int]:
    return {name: value for name, value in json.loads(told).items() if isinstance(value, int)}


def test_chargebacks_are_imported_once(importing: Run, a_file, database_url: str) -> None:
    file = a_file("transaction_id,label", "txn-1,fraud", "txn-2,legitimate")
    code, told, _ = importing(file, "--by", "bank", "--json")
    assert code == 0
    assert counts(told) == {
        "labels": 2, "new": 2, "changed": 0, "same": 0, "older": 0, "unknown_transactions": 1,
        "without_label": 0, "bad_count": 0,
    }  # fmt: skip
    before = kept(database_url), known_at(database_url, "txn-1")
    assert before[0] == [("txn-1", "chargeback", "fraud", "bank"), ("txn-2", "chargeback", "legitimate", "bank")]
    assert counts(importing(file, "--json")[1])["same"] == 2
    assert (kept(database_url), known_at(database_url, "txn-1")) == before


def test_columns_of_the_file_say_source_time_and_who(importing: Run, a_file, database_url: str) -> None:
    file = a_file(
        "by,known_at,transaction_id,is_fraud,source,amount",
        "Ada,2026-01-15,a,1,analyst,9.99",
        ",2026-01-16T10:00:00+01:00,b,0,,1",
        ",,c,,,1",
    )
    code, told, _ = importing(file, "--source", "partner", "--by", "desk", "--json")
    assert (code, counts(told)["without_label"]) == (0, 1)
    assert kept(database_url) == [("a", "analyst", "fraud", "Ada"), ("b", "partner", "legitimate", "desk")]
    assert known_at(database_url, "a") == datetime(2026, 1, 15, tzinfo=UTC)
    assert known_at(database_url, "b") == datetime(2026, 1, 16, 9, tzinfo=UTC)


def test_a_later_verdict_replaces_and_an_earlier_one_does_not(importing: Run, a_file, database_url: str) -> None:
    importing(a_file("transaction_id,label,known_at", "txn-1,fraud,2026-01-15"))
    told = importing(
        a_file("transaction_id,label,known_at", "txn-1,legitimate,2026-01-16", "txn-1,fraud,2026-01-14"), "--json"
    )[1]
    assert (counts(told)["changed"], counts(told)["older"]) == (1, 1)
    assert [row[2] for row in kept(database_url)] == ["legitimate"]


def test_lines_that_are_wrong_are_told_and_the_others_imported(importing: Run, a_file, database_url: str) -> None:
    file = a_file(
        "transaction_id,label,known_at",
        "txn-1,fraud,2026-01-15",
        "txn-2,stolen,",
        ",fraud,",
        "txn-3,fraud",
        "4111111111111111,fraud,",
        "txn-4,fraud,yesterday",
        "txn-5,fraud,2999-01-01",
        "txn-6,legitimate,",
    )
    code, out, told = importing(file)
    assert code == 1
    lines = [line.partition(":")[0] for line in told.splitlines() if line.startswith("line ")]
    assert lines == [f"line {n}" for n in (3, 4, 5, 7, 8)]
    assert "4111" not in told + out
    assert [row[0] for row in kept(database_url)] == [as_identifier("4111111111111111"), "txn-1", "txn-6"]
    assert "3 new" in out


def test_labels_of_a_compressed_file_of_transactions_fit_what_a_replay_posts(
    importing: Run, tmp_path: Path, database_url: str
) -> None:
    file = tmp_path / "kaggle.csv.gz"
    file.write_bytes(gzip.compress(b"cc_num,trans_num,amt,is_fraud\n4111111111111111,an id,9,1\n4,b,1,0\n"))
    assert importing(file)[0] == 0
    assert [(row[0], row[2]) for row in kept(database_url)] == [
        (as_identifier("an id"), "fraud"),
        ("b", "legitimate"),
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"transaction_id,amount\na,1\n", "lacks a column label or is_fraud"),
        (b"transaction_id,label\n\xff\xfe,fraud\n", "not text in UTF-8"),
        (b'transaction_id,label\n"a,fraud\n', "line 2: unexpected end of data"),
        (gzip.compress(b"transaction_id,label\na,fraud\n" * 99)[:-9], "damaged or cut short"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(
    importing: Run, tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    file = tmp_path / "labels.csv"
    if content is not None:
        file.write_bytes(content)
    code, _, told = importing(file)
    assert code == 2
    assert sentence in told


def test_more_than_a_batch_is_imported_and_the_command_runs_by_itself(a_file, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {TABLES}")
    file = a_file("transaction_id,is_fraud", *(f"txn-{number},{number % 2}" for number in range(2_500)))
    command = [sys.executable, "-m", "ml", "import-labels", str(file), "--json"]
    environment = os.environ | {"FRAUDSENSE_DATABASE_URL": database_url}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert counts(done.stdout)["new"] == 2_500
    assert len(kept(database_url)) == 2_500


def test_a_database_that_is_away_is_told(importing: Run, a_file, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAUDSENSE_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    code, _, told = importing(a_file("transaction_id,label", "a,fraud"))
    assert code == 2
    assert "FRAUDSENSE_DATABASE_URL" in told
    assert "importing it again changes nothing" in told


def test_the_database_of_a_build_that_is_not_running_is_told(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FRAUDSENSE_")}
    done = subprocess.run(
        [sys.executable, "-m", "local", "ml", "snapshot"],
        env=environment | {"FRAUDSENSE_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "make run" in done.stderr


def test_ids_that_are_made_to_fit_are_told(importing: Run, a_file) -> None:
    code, _, said = importing(a_file("transaction_id,label", "bad id!,fraud", "txn-1,fraud"))

    assert code == 0
    assert "1 identifiers that the API would refuse are replaced by ones that it takes." in said
