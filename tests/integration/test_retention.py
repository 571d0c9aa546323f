"""Retention on a real PostgreSQL: what goes and what stays, whatever happens meanwhile or in between."""

import gzip
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Timer
from typing import Any

import psycopg
import pytest

from shared.command_line import UserError
from shared.database.archive import ARCHIVED_TABLES
from shared.database.partitions import attached_months, month_of
from shared.database.recorder import PostgresRecorder
from shared.database.retention import foresee, retain
from shared.database.retirement import RetentionRuns, alone, detach, detached_tables, finish
from shared.domain.decision import Decision, RejectedMessage, ScoredTransaction
from tests.builders import NOON, a_scored_transaction, an_alarm
from tests.contract.books import TABLES

ROOT = Path(__file__).parents[2]
CUTOFF = datetime(2026, 5, 1, tzinfo=UTC)
LONG_AGO, LATELY = NOON, datetime(2026, 7, 1, tzinfo=UTC)
JANUARY, JULY = month_of(LONG_AGO), month_of(LATELY)


class Killed(Exception):
    """The process ends here."""


class KilledAt:
    """Progress that ends the process at the first report of a step."""

    def __init__(self, step: str) -> None:
        self._step = step

    def __call__(self, step: str, _done: int, _total: int, /) -> None:
        if step.startswith(self._step):
            raise Killed


def quietly(step: str, done: int, total: int) -> None:
    """Progress that nobody looks at."""


@pytest.fixture
def connection(database_url):
    """Empty tables without partitions at first."""
    with psycopg.connect(database_url, autocommit=True, options="-c timezone=UTC") as connection:
        connection.execute(f"TRUNCATE {TABLES}")
        names = [month.partition for month in attached_months(connection)]
        for name in names + [table.name for table in detached_tables(connection)]:
            connection.execute(f"DROP TABLE {name}")
        yield connection


@pytest.fixture
def recorder(database_url, connection):
    recorder = PostgresRecorder(database_url)
    yield recorder
    recorder.close()


def a_transaction_of(
    name: str, occurred_at: datetime, received_at: datetime | None = None, decision: Decision | None = None
) -> ScoredTransaction:
    """Received when it occurred, unless told otherwise."""
    scored = a_scored_transaction(name, occurred_at=occurred_at, decision=decision)
    return replace(scored, received_at=received_at or occurred_at)


def a_full_month(recorder, connection, number: int = 3) -> None:
    """January, with a row in every table that knows of transactions, and every alert closed."""
    names = [f"old-{n:04}" for n in range(number)]
    recorder.record([a_transaction_of(name, LONG_AGO, decision=an_alarm()) for name in names], [])
    connection.execute(
        "UPDATE alerts SET status = 'closed', closed_at = now(), disposition = 'fraud';"
        "INSERT INTO alert_events (alert_id, action, status, by, at) "
        " SELECT id, 'close', 'closed', 'ann', now() FROM alerts;"
        "INSERT INTO labels (transaction_id, source, label, labelled_at)"
        " SELECT transaction_id, 'analyst', 'fraud', now() FROM alerts;"
        "INSERT INTO shadow_scores (transaction_id, model_version, score, anomaly, risk_label, reasons)"
        " SELECT transaction_id, 'trial', 0.1, 1e-300, 'LOW', '[]' FROM scores"
    )


def reopen(connection, name: str) -> None:
    connection.execute(
        "UPDATE alerts SET status = 'open', closed_at = NULL, disposition = NULL WHERE transaction_id = %s", [name]
    )


def ids(connection, table: str = "transactions") -> list[str]:
    return [name for (name,) in connection.execute(f"SELECT transaction_id FROM {table} ORDER BY 1")]  # noqa: S608


def content(connection) -> dict[str, list[Any]]:
    """Everything in the tables of transactions."""
    return {table: rows(connection, table) for table in ARCHIVED_TABLES}


def rows(connection, table: str) -> list[Any]:
    query = f"SELECT to_jsonb(t) FROM {table} t ORDER BY to_jsonb(t)"  # noqa: S608
    return [row for (row,) in connection.execute(query)]


def is_whole(connection, name: str) -> bool:
    """Whether the transaction, its gate and its score are all there, once."""
    return all(ids(connection, table).count(name) == 1 for table in ("transactions", "transaction_ids", "scores"))


class TestWhatGoes:
    def test_a_month_received_long_ago_goes_with_all_that_belongs_to_it(self, recorder, connection):
        a_full_month(recorder, connection)
        recorder.record([a_transaction_of("new", LATELY)], [])

        report = retain(connection, CUTOFF, None, quietly)

        assert [each.month for each in report.going] == [JANUARY]
        assert {table: len(rows) for table, rows in content(connection).items() if rows} == {
            "transactions": 1, "transaction_ids": 1, "scores": 1,
        }  # fmt: skip
        assert attached_months(connection) == [JULY]
        assert detached_tables(connection) == []

    def test_a_replay_of_old_data_stays_as_long_as_what_was_received_with_it(self, recorder, connection):
        recorder.record([a_transaction_of("replayed", LONG_AGO, received_at=LATELY)], [])

        report = retain(connection, CUTOFF, None, quietly)

        assert [each.month for each in report.staying] == [JANUARY]
        assert is_whole(connection, "replayed")

    def test_a_month_with_an_alert_that_is_not_closed_stays_whole_until_it_is(self, recorder, connection):
        a_full_month(recorder, connection)
        reopen(connection, "old-0001")
        before = content(connection)

        assert [each.alerts_not_closed for each in retain(connection, CUTOFF, None, quietly).staying] == [1]
        assert content(connection) == before

        connection.execute("UPDATE alerts SET status = 'closed', closed_at = now(), disposition = 'fraud'")
        retain(connection, CUTOFF, None, quietly)
        assert ids(connection) == []

    def test_quarantined_messages_go_by_when_they_were_last_seen(self, recorder, connection):
        recorder.record(
            [], [RejectedMessage("unreadable", "why", body, None) for body in (b"old", b"again", b"new")]
        )
        connection.execute("UPDATE rejected_messages SET received_at = %s, last_seen = %s", [LONG_AGO, LONG_AGO])
        connection.execute("UPDATE rejected_messages SET last_seen = %s WHERE body <> 'old'", [LATELY])

        assert retain(connection, CUTOFF, None, quietly).rejected_messages == 1
        assert {body for (body,) in connection.execute("SELECT body FROM rejected_messages")} == {b"again", b"new"}

    def test_an_id_that_is_gone_is_new_when_it_is_posted_again(self, recorder, connection):
        a_full_month(recorder, connection, 1)
        retain(connection, CUTOFF, None, quietly)

        assert recorder.record([a_transaction_of("old-0000", LONG_AGO)], []).new == {"old-0000"}
        assert is_whole(connection, "old-0000")

    def test_a_dry_run_says_the_same_and_changes_nothing(self, recorder, connection):
        a_full_month(recorder, connection)
        recorder.record([a_transaction_of("replayed", LONG_AGO.replace(year=2019), received_at=LATELY)], [])
        before, months = content(connection), attached_months(connection)

        foreseen = foresee(connection, CUTOFF)

        assert (content(connection), attached_months(connection)) == (before, months)
        assert retain(connection, CUTOFF, None, quietly) == replace(foreseen, dry_run=False)


class TestInterrupted:
    def test_a_detached_month_is_finished_by_the_next_run(self, recorder, connection):
        a_full_month(recorder, connection)
        detach(connection, JANUARY, "retired", LATELY)

        retain(connection, CUTOFF, None, quietly)

        assert not any(content(connection).values())
        assert detached_tables(connection) == []

    @pytest.mark.parametrize("step", ["archive", "clear"])
    def test_killed_at_any_step_the_next_run_finishes_and_the_archive_is_whole(
        self, recorder, connection, tmp_path, step
    ):
        a_full_month(recorder, connection)
        before = content(connection)
        with pytest.raises(Killed):
            retain(connection, CUTOFF, tmp_path, KilledAt(step))

        retain(connection, CUTOFF, tmp_path, quietly)

        assert not any(content(connection).values())
        assert detached_tables(connection) == []
        [path] = tmp_path.glob("*.gz")
        assert loaded(connection, path) == before

    def test_an_id_posted_again_after_the_interruption_is_not_taken_for_the_old_one(self, recorder, connection):
        a_full_month(recorder, connection, 1001)
        with pytest.raises(Killed):
            retain(connection, CUTOFF, None, KilledAt("clear"))
        recorder.record([a_transaction_of("old-0000", LONG_AGO, received_at=LATELY)], [])

        retain(connection, CUTOFF, None, quietly)

        assert is_whole(connection, "old-0000")
        assert ids(connection) == ["old-0000"]

    def test_what_was_to_be_archived_does_not_go_without_an_archive(self, recorder, connection, tmp_path):
        a_full_month(recorder, connection)
        detach(connection, JANUARY, "unarchived", LATELY)
        with pytest.raises(UserError, match="--archive"):
            retain(connection, CUTOFF, None, quietly)
        assert len(ids(connection, "scores")) == 3

        [path] = retain(connection, CUTOFF, tmp_path, quietly).archives
        assert len(gzip.decompress(path.read_bytes()).splitlines()) == 3

    def test_two_at_once_are_refused(self, database_url, connection):
        with psycopg.connect(database_url, autocommit=True) as other, alone(other), pytest.raises(RetentionRuns):
            retain(connection, CUTOFF, None, quietly)
        retain(connection, CUTOFF, None, quietly)


class TestMeanwhile:
    """Between the look at a month and its end."""

    def test_a_transaction_received_before_the_month_is_detached_comes_back(self, recorder, connection):
        a_full_month(recorder, connection)
        recorder.record([a_transaction_of("late", LONG_AGO, received_at=LATELY)], [])

        finish(connection, detach(connection, JANUARY, "retired", LATELY), CUTOFF, None, quietly)

        assert ids(connection) == ["late"]
        assert is_whole(connection, "late")

    def test_a_transaction_received_after_the_month_was_detached_has_a_partition(self, recorder, connection):
        a_full_month(recorder, connection)
        table = detach(connection, JANUARY, "retired", LATELY)
        recorder.record([a_transaction_of("late", LONG_AGO, received_at=LATELY)], [])

        finish(connection, table, CUTOFF, None, quietly)

        assert is_whole(connection, "late")
        assert retain(connection, CUTOFF, None, quietly).going == []

    def test_an_alert_reopened_meanwhile_keeps_its_transaction(self, recorder, connection):
        a_full_month(recorder, connection)
        table = detach(connection, JANUARY, "retired", LATELY)
        reopen(connection, "old-0001")

        finish(connection, table, CUTOFF, None, quietly)

        assert {table: len(rows) for table, rows in content(connection).items()} == dict.fromkeys(
            ARCHIVED_TABLES, 1
        )
        assert is_whole(connection, "old-0001")

    def test_an_alert_reopened_while_the_archive_is_written_keeps_its_transaction(
        self, recorder, connection, database_url, tmp_path
    ):
        a_full_month(recorder, connection)

        def reopen_beside(step: str, _done: int, _total: int, /) -> None:
            if step.startswith("archive"):
                with psycopg.connect(database_url) as analyst:
                    reopen(analyst, "old-0001")

        retain(connection, CUTOFF, tmp_path, reopen_beside)

        assert ids(connection) == ["old-0001"]
        assert ids(connection, "alerts") == ["old-0001"]
        assert is_whole(connection, "old-0001")

    def test_writers_of_the_month_lose_and_double_nothing(self, recorder, connection, database_url):
        a_full_month(recorder, connection, 2000)
        done, written = Event(), []

        def write() -> None:
            writer = PostgresRecorder(database_url)
            while not done.is_set() or len(written) < 50:
                late = a_transaction_of(f"late-{len(written)}", LONG_AGO, received_at=LATELY)
                current = a_transaction_of(f"current-{len(written)}", LATELY)
                assert len(writer.record([late, current], []).new) == 2
                written.append(late.transaction.transaction_id)
            writer.close()

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            while len(written) < 20:
                assert not writing.done(), writing.result()
            finish(connection, detach(connection, JANUARY, "retired", LATELY), CUTOFF, None, quietly)
            done.set()
            writing.result()
        assert [name for name in ids(connection) if not name.startswith("current")] == sorted(written)
        assert ids(connection, "transaction_ids") == ids(connection) == ids(connection, "scores")

    def test_detaching_waits_for_an_open_writer(self, recorder, connection, database_url):
        a_full_month(recorder, connection)
        with psycopg.connect(database_url) as writer:
            writer.execute("UPDATE transactions SET channel = 'open'")
            Timer(0.5, writer.commit).start()
            detach(connection, JANUARY, "retired", LATELY)
        assert attached_months(connection) == []

    def test_a_session_that_stays_open_leaves_the_month_where_it_is(self, recorder, connection, database_url):
        a_full_month(recorder, connection)
        with psycopg.connect(database_url) as backup:
            backup.execute("SELECT count(*) FROM transactions")
            with pytest.raises(UserError, match="pg_stat_activity"):
                detach(connection, JANUARY, "retired", LATELY, attempts=2)
            assert recorder.record([a_transaction_of("late", LONG_AGO)], []).new == {"late"}
        assert attached_months(connection) == [JANUARY]


def loaded(connection, path: Path) -> dict[str, list[Any]]:
    """What the statements of docs/reference.md make of an archive."""
    section = (ROOT / "docs" / "reference.md").read_text().split("\n## Retention\n")[1].split("\n## ")[0]
    [documented] = re.findall(r"```sql\n(.*?)```", section, re.DOTALL)
    connection.execute("DROP SCHEMA IF EXISTS past CASCADE")
    for statement in documented.splitlines():
        if statement.startswith("\\copy"):
            from_stdin = re.sub(r"^\\copy (\S+) FROM PROGRAM '.*?'", r"COPY \1 FROM STDIN", statement)
            with connection.cursor().copy(from_stdin) as lines:
                lines.write(gzip.decompress(path.read_bytes()))
        else:
            connection.execute(statement)
    return {table: rows(connection, f"past.{table}") for table in ARCHIVED_TABLES}


class TestArchive:
    def test_it_is_readable_by_its_owner_only_and_one_line_holds_one_transaction(
        self, recorder, connection, tmp_path
    ):
        a_full_month(recorder, connection)
        [path] = retain(connection, CUTOFF, tmp_path / "new folder", quietly).archives

        lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        assert path.stat().st_mode & 0o777 == 0o600
        assert sorted(line["transactions"][0]["transaction_id"] for line in lines) == [
            "old-0000", "old-0001", "old-0002",
        ]  # fmt: skip

    def test_a_folder_that_cannot_be_written_stops_it_before_anything_is_detached(
        self, recorder, connection, tmp_path
    ):
        a_full_month(recorder, connection)
        (tmp_path / "file").touch()
        with pytest.raises(UserError, match="another folder"):
            retain(connection, CUTOFF, tmp_path / "file", quietly)
        assert attached_months(connection) == [JANUARY]


class TestCommand:
    @pytest.fixture
    def command(self, database_url):
        def run(*words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, "-m", *words],
                cwd=ROOT,
                env=os.environ | {"FRAUDSENSE_DATABASE_URL": database_url},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )

        return run

    @pytest.mark.parametrize("module", [["shared.database", "retention"], ["local", "retention"]])
    def test_it_counts_the_months_back_from_now(self, recorder, connection, command, module):
        recorder.record([a_transaction_of("old", NOON.replace(year=2019)), a_transaction_of("new", LATELY)], [])
        connection.execute("UPDATE transactions SET received_at = now() WHERE transaction_id = 'new'")

        done = command(*module, "--months", "2", "--json")

        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout.splitlines()[-1])
        assert [each["partition"] for each in told["retired"]] == ["transactions_2019_01"]
        assert ids(connection) == ["new"]

    def test_it_refuses_to_take_the_month_that_histories_need(self, command):
        done = command("shared.database", "retention", "--months", "1")

        assert done.returncode == 2
        assert "at least 2" in done.stderr

    def test_partitions_are_made_ahead(self, connection, command):
        assert command("shared.database", "partitions", "--ahead", "2").returncode == 0
        assert len(attached_months(connection)) == 3
