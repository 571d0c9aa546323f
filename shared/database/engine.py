"""The asynchronous engine of ingest and alerts, and its errors in our words."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Dialect, event, select
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

from shared.database.connection import CONNECTION_SETTINGS, is_outdated_plan, is_unavailability
from shared.database.login import conninfo
from shared.database.tables import transaction_ids
from shared.deadline import within
from shared.domain.errors import DatabaseUnavailable
from shared.entra import without_entra

ANSWER_SECONDS = 4.5
"""So a caller hears within 5 seconds. Where the server hangs, its own limit for a statement is of no use."""

P = ParamSpec("P")
T = TypeVar("T")


def async_engine(url: str) -> AsyncEngine:
    """An engine for a URL as `login.conninfo` takes it; it connects lazily, to be disposed of by the caller."""
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        connect_args=CONNECTION_SETTINGS,
        pool_pre_ping=True,
        pool_timeout=ANSWER_SECONDS,
        hide_parameters=True,  # errors are logged
    )
    event.listen(engine.sync_engine, "handle_error", _drop_outdated_connection)
    if without_entra(url):
        event.listen(engine.sync_engine, "do_connect", partial(_sign_in, url))
    return engine


def _sign_in(url: str, _dialect: Dialect, _pool: Any, _arguments: Any, named: dict[str, Any]) -> None:
    named |= conninfo_to_dict(await_only(asyncio.to_thread(conninfo, url)))


def _drop_outdated_connection(context: ExceptionContext) -> None:
    if is_outdated_plan(context.original_exception):
        context.is_disconnect = True


@contextmanager
def unavailability() -> Iterator[None]:
    """Raise DatabaseUnavailable for every error that says that PostgreSQL is away; others pass."""
    try:
        yield
    except PoolExhausted as error:
        raise DatabaseUnavailable("Every connection to PostgreSQL is busy; try again.") from error
    except TimeoutError as error:
        raise DatabaseUnavailable(f"PostgreSQL did not answer within {ANSWER_SECONDS:g} s; try again.") from error
    except DBAPIError as error:
        if not is_unavailability(error.orig):
            raise
        raise DatabaseUnavailable(f"PostgreSQL did not answer; try again: {error.orig}") from error


def answering(
    method: Callable[P, Coroutine[Any, Any, T]],
) -> Callable[P, Coroutine[Any, Any, T]]:
    """A method that asks the database: it raises DatabaseUnavailable where that is away or takes too long."""

    @wraps(method)
    async def bounded(*args: P.args, **kwargs: P.kwargs) -> T:
        with unavailability():
            return await within(ANSWER_SECONDS, method(*args, **kwargs))

    return bounded


def reading(engine: AsyncEngine) -> AsyncEngine:
    """The same pool without BEGIN and ROLLBACK around single SELECTs, which saves two round trips each."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


async def check_schema(engine: AsyncEngine) -> None:
    """Return where the database answers and is migrated; raises DatabaseUnavailable."""
    try:
        async with reading(engine).connect() as connection:
            await connection.execute(select(transaction_ids).limit(0))
    except (DBAPIError, PoolExhausted) as error:
        raise DatabaseUnavailable(f"PostgreSQL cannot be used: {error}") from error
