"""Connections for commands that read whole weeks of transactions in one statement."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from shared.command_line import UserError
from shared.database.connection import CONNECTION_SETTINGS, is_unavailability
from shared.database.login import conninfo

_SETTINGS = {"application_name": "fraudsense-batch", "options": "-c timezone=UTC -c lock_timeout=10s -c jit=off"}


@contextmanager
def long_work(url: str) -> Iterator[psycopg.Connection]:
    """A connection in autocommit, in UTC, without a limit to a statement's time; its errors become UserError."""
    try:
        with psycopg.connect(conninfo(url), autocommit=True, **CONNECTION_SETTINGS | _SETTINGS) as connection:
            yield connection
    except psycopg.Error as error:
        raise UserError(what_to_do(error)) from error


def what_to_do(error: BaseException) -> str:
    """A sentence for the user of a command whose database failed."""
    if isinstance(error, errors.UndefinedTable | errors.UndefinedColumn):
        return f"The database is not migrated; run python -m shared.database migrate: {error}"
    if isinstance(error, errors.InsufficientPrivilege):
        return f"This login may not do that; use one that may: {error}"
    if isinstance(error, psycopg.Error) and is_unavailability(error):
        return (
            f"PostgreSQL did not answer: set FRAUDSENSE_DATABASE_URL, or put `python -m local` before `ml` to use "
            f"what `make run` started, and run again: {error}"
        )
    return f"PostgreSQL refuses; mend that and run again: {error}"
