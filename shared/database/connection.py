"""How every connection to PostgreSQL is opened, and which of its errors mean that the server is away."""

from datetime import timedelta
from math import inf
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import PQGen
from psycopg.rows import TupleRow

from shared.database.login import conninfo

T = TypeVar("T")

LONGEST_USE = timedelta(seconds=18)
"""Longer than the server's own limit for a statement, so that a server that is only slow says so itself."""

CONNECTION_SETTINGS: dict[str, Any] = {
    "connect_timeout": 3,
    "application_name": "fraudsense",
    # Compiling a statement takes longer than any of ours runs.
    "options": "-c timezone=UTC -c statement_timeout=15s -c idle_in_transaction_session_timeout=60s -c jit=off",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds; a server that vanished is noticed while waiting for its answer
}


class NoAnswer(psycopg.OperationalError):
    """PostgreSQL did not answer in time."""


class BoundedConnection(psycopg.Connection[TupleRow]):
    """A connection whose caller never waits beyond `answer_by` (of `time.monotonic()`), whatever holds it up.

    A server that hangs sends no error, and the kernel goes on acknowledging what it is sent. Past that time the
    connection is closed and each call raises NoAnswer.
    """

    answer_by: float = inf

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """As the base class, which comes here for every answer that it waits for."""
        if (left := self.answer_by - monotonic()) > 0:
            try:
                return super().wait(gen, interval, left if timeout is None else min(left, timeout))
            except psycopg.OperationalError:
                if monotonic() < self.answer_by:
                    raise
        self.close()
        raise NoAnswer("It did not answer in time.")


def open_connection(url: str, *, within: timedelta = LONGEST_USE, prepares: bool = True) -> BoundedConnection:
    """A connection in autocommit that is to be used up within so long; raises psycopg.Error.

    Set its `answer_by` anew for each further use.
    """
    answer_by = monotonic() + within.total_seconds()
    threshold = 5 if prepares else None
    connection = BoundedConnection.connect(
        conninfo(url), autocommit=True, prepare_threshold=threshold, **CONNECTION_SETTINGS
    )
    connection.answer_by = answer_by
    return connection


def is_unavailability(error: BaseException | None) -> bool:
    """Whether trying again later may help: connection lost, server starting or stopping, lock conflicts.

    Errors that the data or the statement cause come back for the same batch for ever and are not among them.
    """
    if isinstance(error, errors.ProgramLimitExceeded | errors.StatementTooComplex):
        return False
    passing = psycopg.OperationalError | psycopg.InterfaceError | errors.ReadOnlySqlTransaction
    timed_out = errors.IdleInTransactionSessionTimeout
    return isinstance(error, passing | timed_out) or is_outdated_plan(error) or is_foreign_session(error)


def is_foreign_session(error: BaseException | None) -> bool:
    """Whether prepared statements are not where this connection left them: a pooler gave it another session."""
    return isinstance(error, errors.InvalidSqlStatementName | errors.DuplicatePreparedStatement)


def is_outdated_plan(error: BaseException | None) -> bool:
    """Whether the connection prepared this statement for a schema that was migrated since; a new one works.

    The message is in the server's language; the function that raises it has one name.
    """
    return isinstance(error, errors.FeatureNotSupported) and error.diag.source_function == "RevalidateCachedQuery"


def missing_setup(error: BaseException) -> str | None:
    """What must be done to the database before any batch can be recorded, or None where that is not the matter."""
    if isinstance(error, errors.UndefinedTable | errors.UndefinedColumn | errors.UndefinedFunction):
        return "The database is not migrated; run python -m shared.database migrate"
    if isinstance(error, errors.InsufficientPrivilege):
        return "The database refuses this login; grant it what it lacks"
    return None
