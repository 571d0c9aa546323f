"""How every connection to PostgreSQL is opened, and which of its errors mean that the server is away."""

from typing import Any

import psycopg
from psycopg import errors

CONNECTION_SETTINGS: dict[str, Any] = {
    "connect_timeout": 3,
    "application_name": "fraudsense",
    "options": "-c timezone=UTC -c statement_timeout=15s -c idle_in_transaction_session_timeout=60s",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds; a server that vanished is noticed while waiting for its answer
}


def is_unavailability(error: BaseException | None) -> bool:
    """Whether trying again later may help: connection lost, server starting or stopping, lock conflicts.

    Errors that the data or the statement cause come back for the same batch for ever and are not among them.
    """
    if isinstance(error, errors.ProgramLimitExceeded | errors.StatementTooComplex):
        return False
    passing = psycopg.OperationalError | psycopg.InterfaceError | errors.ReadOnlySqlTransaction
    return isinstance(error, passing | errors.IdleInTransactionSessionTimeout)


def is_missing_schema(error: BaseException) -> bool:
    """Whether the database lacks what a migration brings: no item of a batch is to blame, and migrating helps."""
    return isinstance(
        error,
        errors.UndefinedTable | errors.UndefinedColumn | errors.UndefinedFunction | errors.InsufficientPrivilege,
    )
