"""The scorer's books in PostgreSQL: new months, lost connections, bad data, and the order of alerts."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from time import monotonic
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from shared.database.recorder import PostgresRecorder
from shared.domain.errors import DatabaseUnavailable
from tests.builders import NOON, a_scored_transaction, an_alarm
from tests.contract.books import TABLES


@pytest.fixture
def connection(database_url):
    """A look at the books beside the recorder, which are empty and without partitions at first."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {TABLES}")
        for name in partitions(connection):
            connection.execute(f"DROP TABLE {name}")
        yield connection


@pytest.fixture
def recorder(database_url, connection):
    recorder = PostgresRecorder(database_url)
    yield recorder
    recorder.close()


@pytest.fixture
def writer(database_url, connection):
    """Another session: has written the id `a`, with content of its own, and not committed."""
    with psycopg.connect(database_url) as writer:
        writer.execute("INSERT INTO transaction_ids VALUES ('a', %s, 'other')", [NOON])
        yield writer


def partitions(connection) -> list[str]:
    query = "SELECT relid::text FROM pg_partition_tree('transactions') WHERE level = 1 ORDER BY 1"
    return [name for (name,) in connection.execute(query)]


def count(connection, table: str) -> int:
    return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608


def a_batch(*names: str, **changes):
    return [a_scored_transaction(name, **changes) for name in names]


class TestMonths:
    def test_each_month_has_its_partition(self, recorder, connection):
        months = [NOON.replace(year=2019, month=12), NOON.replace(year=2020, month=1), NOON]
        recorder.record([a_scored_transaction(f"t{m:%Y%m}", occurred_at=m) for m in months], [])
        assert partitions(connection) == ["transactions_2019_12", "transactions_2020_01", "transactions_2026_01"]
        assert count(connection, "transactions_2019_12") == 1

    def test_a_month_ends_where_the_next_one_begins_in_utc(self, recorder, connection):
        last = NOON.replace(month=1, day=31, hour=23, minute=59, second=59, microsecond=999999)
        recorder.record(
            a_batch("a", occurred_at=last) + a_batch("b", occurred_at=NOON.replace(month=2, day=1, hour=0)), []
        )
        assert [count(connection, f"transactions_2026_0{month}") for month in (1, 2)] == [1, 1]

    def test_a_new_month_does_not_wait_for_an_open_writer(self, recorder, connection, database_url):
        recorder.record(a_batch("a"), [])
        with psycopg.connect(database_url) as writer:
            writer.execute("INSERT INTO transactions SELECT * FROM transactions_2026_01 ON CONFLICT DO NOTHING")
            writer.execute("UPDATE transactions SET channel = 'open'")
            recorder.record(a_batch("b", occurred_at=NOON.replace(year=2001)), [])
        assert count(connection, "transactions_2001_01") == 1

    def test_scorers_that_make_the_same_month_at_once_all_succeed(self, connection, database_url):
        def write(number: int) -> None:
            recorder = PostgresRecorder(database_url)
            for year in range(1990, 1996):
                recorder.record(a_batch(f"t{number}-{year}", occurred_at=NOON.replace(year=year)), [])
            recorder.close()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(4)))
        assert len(partitions(connection)) == 6
        assert count(connection, "transactions") == 24

    def test_a_month_that_was_detached_is_attached_again(self, recorder, connection):
        recorder.record(a_batch("a"), [])
        connection.execute("ALTER TABLE transactions DETACH PARTITION transactions_2026_01")
        recorder.record(a_batch("b"), [])
        assert count(connection, "transactions") == 2

    def test_a_partition_has_the_indexes_of_the_table(self, recorder, connection):
        recorder.record(a_batch("a"), [])
        query = "SELECT count(*) FROM pg_indexes WHERE tablename = %s"
        for table in ("transactions", "transactions_2026_01"):
            assert connection.execute(query, [table]).fetchone() == (2,)


class TestWaiting:
    """A recorder that waits for another writer of the same id."""

    def wait_until_blocked(self, connection) -> int:
        """The process id of the recorder's session."""
        query = (
            "SELECT pid FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'fraudsense' AND wait_event_type = 'Lock'"
        )
        deadline = monotonic() + 10
        while not (row := connection.execute(query).fetchone()):
            assert monotonic() < deadline, "the recorder did not wait for the other writer"
        return row[0]

    def test_what_the_other_committed_meanwhile_makes_it_an_id_conflict(self, recorder, writer, connection):
        with ThreadPoolExecutor(1) as pool:
            recording = pool.submit(recorder.record, a_batch("a", "b"), [])
            self.wait_until_blocked(connection)
            writer.commit()
            recording.result()
        assert connection.execute("SELECT transaction_id FROM scores").fetchall() == [("b",)]
        assert connection.execute("SELECT reason FROM rejected_messages").fetchall() == [("id_conflict",)]

    def test_what_the_other_rolled_back_is_recorded(self, recorder, writer, connection):
        with ThreadPoolExecutor(1) as pool:
            recording = pool.submit(recorder.record, a_batch("a"), [])
            self.wait_until_blocked(connection)
            writer.rollback()
            recording.result()
        assert count(connection, "scores") == 1

    def test_a_connection_lost_within_the_batch_records_nothing(self, recorder, writer, connection):
        with ThreadPoolExecutor(1) as pool:
            recording = pool.submit(recorder.record, a_batch("a", "b"), [])
            connection.execute("SELECT pg_terminate_backend(%s)", [self.wait_until_blocked(connection)])
            with pytest.raises(DatabaseUnavailable):
                recording.result()
        writer.rollback()
        assert count(connection, "transactions") == 0
        recorder.record(a_batch("a", "b"), [])
        assert count(connection, "transactions") == 2


class TestTrouble:
    def test_a_lost_connection_is_unavailability_once(self, recorder, connection):
        recorder.record(a_batch("a"), [])
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'fraudsense'"
        )
        with pytest.raises(DatabaseUnavailable):
            recorder.record(a_batch("b"), [])
        recorder.record(a_batch("b"), [])
        assert count(connection, "scores") == 2

    def test_no_server_is_unavailability(self):
        recorder = PostgresRecorder("postgresql://nobody@127.0.0.1:1/none")
        with pytest.raises(DatabaseUnavailable):
            recorder.record(a_batch("a"), [])
        with pytest.raises(DatabaseUnavailable):
            recorder.check()

    def test_a_database_that_is_not_migrated_fails_the_check(self, services):
        with pytest.raises(DatabaseUnavailable, match="transaction_ids"):
            PostgresRecorder(services.database).check()

    def test_bad_data_is_an_error_of_its_own_and_records_nothing(self, recorder, connection):
        with pytest.raises(psycopg.DataError):
            recorder.record([*a_batch("a"), a_scored_transaction("b", payload=b"not JSON")], [])
        assert count(connection, "transaction_ids") == 0
        recorder.record(a_batch("a"), [])
        assert count(connection, "scores") == 1

    def test_an_alert_that_cannot_be_raised_takes_its_batch_with_it(self, recorder, connection):
        recorder.record(a_batch("a", decision=an_alarm()), [])
        connection.execute("DELETE FROM transaction_ids")
        with pytest.raises(psycopg.IntegrityError):
            recorder.record(a_batch("a", "b", decision=an_alarm()), [])
        assert count(connection, "transaction_ids") == 0

    def test_nothing_of_sqlalchemy_is_loaded(self):
        program = "import shared.database.recorder, sys; print('sqlalchemy' in sys.modules)"
        ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
        assert ran.stdout == "False\n"


@contextmanager
def altered(connection, table: str, change: str, back: str):
    """A migration while scorers run, and what it was before again."""
    connection.execute(f"ALTER TABLE {table} {change}")
    try:
        yield
    finally:
        connection.execute(f"ALTER TABLE {table} {back}")


class TestMigratedMeanwhile:
    """Statements are prepared once per connection, for the columns there were then."""

    @pytest.mark.parametrize("table", ["alerts", "transaction_ids", "transactions", "scores", "rejected_messages"])
    def test_a_column_that_was_added_changes_nothing(self, recorder, connection, table):
        use(recorder, range(8))
        with altered(connection, table, "ADD COLUMN later int", "DROP COLUMN later"):
            use(recorder, range(8, 16))
        assert count(connection, "scores") == 16

    @pytest.mark.parametrize("table", ["alerts", "transaction_ids"])
    def test_a_column_of_another_type_needs_a_new_connection_only(self, recorder, connection, table):
        use(recorder, range(8))
        change = "ALTER COLUMN transaction_id TYPE "
        with altered(connection, table, f"{change} varchar(64)", f"{change} text"):
            with pytest.raises(DatabaseUnavailable):
                use(recorder, range(8, 9))
            use(recorder, range(8, 16))
        assert count(connection, "scores") == 16

    def test_without_a_permission_it_says_so(self, connection, database_url):
        role = f"test_{uuid4().hex[:12]}"
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{role}'")
        recorder = PostgresRecorder(make_conninfo(database_url, user=role, password=role))
        try:
            with pytest.raises(DatabaseUnavailable, match="grant"):
                recorder.unannounced(["a"])
        finally:
            recorder.close()
            connection.execute(f"DROP ROLE {role}")


def use(recorder, numbers: range) -> None:
    """A batch through every statement of the recorder."""
    for number in numbers:
        batch = a_batch(f"t{number}", decision=an_alarm())
        recorder.record(batch, [])
        recorder.record([*batch, *a_batch(f"t{number}", payload=b"{}")], [])
        recorder.mark_announced(recorder.unannounced([f"t{number}"]), NOON)


class TestOrder:
    def test_a_reader_that_follows_seq_misses_no_alert(self, connection, database_url):
        """Were `seq` given out before the lock, a later number could be seen before an earlier one."""
        done, followed = Event(), []

        def write(number: int) -> None:
            recorder = PostgresRecorder(database_url)
            for batch in range(30):
                recorder.record(a_batch(*(f"{number}-{batch}-{n}" for n in range(5)), decision=an_alarm()), [])
            recorder.close()

        def follow() -> None:
            while True:
                last_round = done.is_set()
                query = "SELECT seq FROM alerts WHERE seq > %s ORDER BY seq"
                followed.extend(seq for (seq,) in connection.execute(query, [max(followed, default=0)]))
                if last_round:
                    return

        with ThreadPoolExecutor(5) as pool:
            reader = pool.submit(follow)
            list(pool.map(write, range(4)))
            done.set()
            reader.result()
        assert len(followed) == 4 * 30 * 5
