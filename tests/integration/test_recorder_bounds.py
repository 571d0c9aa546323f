"""The scorer's books behind a PostgreSQL that hangs, a pooler, a standby: every use ends, and the next works."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from datetime import timedelta
from time import sleep

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from shared.database.connection import BoundedConnection, NoAnswer, is_unavailability, open_connection
from shared.database.recorder import PostgresRecorder
from shared.domain.alert import Alert
from shared.domain.decision import RejectedMessage
from shared.domain.errors import DatabaseUnavailable
from tests.builders import NOON, a_scored_transaction, an_alarm
from tests.contract.books import TABLES
from tests.contract.brokers import Proxy

SOON = timedelta(seconds=0.5)
RUBBISH = RejectedMessage("unreadable", "not an envelope", b"rubbish")


@pytest.fixture
def books(database_url: str) -> Iterator[psycopg.Connection]:
    """A look at the books, which are empty at first."""
    with psycopg.connect(database_url, autocommit=True) as books:
        books.execute(f"TRUNCATE {TABLES}")
        yield books


@pytest.fixture
async def proxy(database_url: str, books: psycopg.Connection) -> AsyncIterator[Proxy]:
    """The way to the database."""
    target = conninfo_to_dict(database_url)
    proxy = Proxy(str(target["host"]), int(target["port"]))
    await proxy.start()
    yield proxy
    proxy.flow()
    await proxy.stop()


@pytest.fixture
def recorder(database_url: str, proxy: Proxy) -> Iterator[PostgresRecorder]:
    """It reaches the database through the proxy, and takes half a second for what it is asked at most."""
    url = make_conninfo(database_url, host="127.0.0.1", port=proxy.port)
    with closing(PostgresRecorder(url, SOON)) as recorder:
        yield recorder


def record(recorder: PostgresRecorder) -> None:
    recorder.record([a_scored_transaction("b")], [])


def record_in_a_new_month(recorder: PostgresRecorder) -> None:
    recorder.record([a_scored_transaction("b", occurred_at=NOON.replace(year=1987))], [])


def find_unannounced(recorder: PostgresRecorder) -> None:
    recorder.unannounced(["a"])


def mark_announced(recorder: PostgresRecorder) -> None:
    recorder.mark_announced(list[Alert](), NOON)


def check(recorder: PostgresRecorder) -> None:
    recorder.check()


USES = [record, record_in_a_new_month, find_unannounced, mark_announced, check]


@pytest.mark.parametrize("use", USES)
async def test_while_nothing_comes_through_every_use_ends_and_afterwards_it_works(
    recorder: PostgresRecorder, proxy: Proxy, use: Callable[[PostgresRecorder], None]
) -> None:
    await asyncio.to_thread(recorder.record, [a_scored_transaction("a", decision=an_alarm())], [])
    proxy.stall()
    with pytest.raises(DatabaseUnavailable):
        await asyncio.wait_for(asyncio.to_thread(use, recorder), 30)
    proxy.flow()
    await asyncio.to_thread(use, recorder)


async def test_a_batch_whose_answer_never_came_is_recorded_once(
    recorder: PostgresRecorder, books: psycopg.Connection, database_url: str
) -> None:
    with psycopg.connect(database_url) as other:
        other.execute("INSERT INTO transaction_ids VALUES ('b', %s, 'other')", [NOON])
        with pytest.raises(DatabaseUnavailable, match="in time"):
            await asyncio.to_thread(recorder.record, [a_scored_transaction("a"), a_scored_transaction("b")], [])
        other.rollback()
    await asyncio.to_thread(recorder.record, [a_scored_transaction("a"), a_scored_transaction("b")], [])
    assert books.execute("SELECT count(*) FROM scores").fetchone() == (2,)


def test_the_time_of_one_use_does_not_run_out_in_the_next(database_url: str, books: psycopg.Connection) -> None:
    sessions = (
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'fraudsense' AND datname = current_database()"
    )
    with closing(PostgresRecorder(database_url, SOON)) as recorder:
        record(recorder)
        before = books.execute(sessions).fetchall()
        sleep(SOON.total_seconds() * 1.2)
        record(recorder)
        assert books.execute(sessions).fetchall() == before


def test_a_connection_that_is_overdue_is_closed_and_answers_nothing_more(database_url: str) -> None:
    with open_connection(database_url, within=SOON) as connection:
        with pytest.raises(NoAnswer), connection.transaction():
            connection.execute("SELECT pg_sleep(30)")
        assert connection.closed
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


def test_without_a_time_to_answer_by_it_waits_as_others_do(database_url: str) -> None:
    with BoundedConnection.connect(database_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


STATEMENTS = "SELECT FROM pg_prepared_statements WHERE name = '_pg3_1'"


@pytest.mark.parametrize(
    "change",
    [
        "EXECUTE 'DEALLOCATE ALL'",
        f"IF NOT EXISTS ({STATEMENTS}) THEN EXECUTE 'PREPARE _pg3_1 AS SELECT 1'; END IF",
    ],
)
def test_where_a_pooler_changes_its_session_it_goes_on_without_prepared_statements(
    database_url: str, books: psycopg.Connection, change: str
) -> None:
    books.execute(
        "CREATE OR REPLACE FUNCTION change_session() RETURNS trigger LANGUAGE plpgsql"
        f" AS $$ BEGIN {change}; RETURN NULL; END $$"
    )
    books.execute("CREATE TRIGGER pooler AFTER INSERT ON scores EXECUTE FUNCTION change_session()")
    try:
        with closing(PostgresRecorder(database_url)) as recorder:
            recorder.record([a_scored_transaction("0")], [])
            with pytest.raises(DatabaseUnavailable):
                recorder.record([a_scored_transaction("1")], [RUBBISH])
            for n in range(1, 9):
                recorder.record([a_scored_transaction(f"{n}")], [RUBBISH])
    finally:
        books.execute("DROP FUNCTION change_session CASCADE")
    assert books.execute("SELECT count(*) FROM scores").fetchone() == (9,)


def test_on_a_standby_it_waits_until_there_is_a_primary(database_url: str, books: psycopg.Connection) -> None:
    name = books.info.dbname
    with closing(PostgresRecorder(database_url)) as recorder:
        books.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        try:
            with pytest.raises(DatabaseUnavailable, match="primary"):
                recorder.check()
            with pytest.raises(DatabaseUnavailable):
                record(recorder)
        finally:
            books.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        recorder.check()
        record(recorder)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (errors.AdminShutdown, True),
        (errors.CannotConnectNow, True),
        (errors.CrashShutdown, True),
        (errors.DeadlockDetected, True),
        (errors.DiskFull, True),
        (errors.DuplicatePreparedStatement, True),
        (errors.InvalidSqlStatementName, True),
        (errors.LockNotAvailable, True),
        (errors.QueryCanceled, True),
        (errors.ReadOnlySqlTransaction, True),
        (errors.SerializationFailure, True),
        (errors.TooManyConnections, True),
        (NoAnswer, True),
        (errors.CheckViolation, False),
        (errors.NumericValueOutOfRange, False),
        (errors.ProgramLimitExceeded, False),
        (errors.UniqueViolation, False),
        (errors.UntranslatableCharacter, False),
    ],
)
def test_what_the_server_is_to_blame_for_is_waited_for(error: type[psycopg.Error], passes: bool) -> None:
    assert is_unavailability(error()) is passes
