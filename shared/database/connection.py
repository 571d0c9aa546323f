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
    return isinstance(error, passing | errors.IdleInTransactionSessionTimeout) or is_outdated_plan(error)


def is_outdated_plan(error: BaseException | None) -> bool:
    """Whether the connection prepared this statement for a schema that was migrated since; a new one works.

    The message is in the server's language; the function that raises it has one name.
    """
    return isinstance(error, errors.FeatureNotSupported) and error.diag.source_function == "RevalidateCachedQuery"


def missing_setup(error: BaseException) -> str | None:
    """What must be done to the database before any batch can be recorded, or None where that is not the matter."""
    if isinstance(error, errors.UndefinedTable | errors.UndefinedColumn | errors.UndefinedFunction):
        return "The database is not migrated; run python -m shared.database.migrate"
    if isinstance(error, errors.InsufficientPrivilege):
        return "The database refuses this login; grant it what it lacks"
    return None
