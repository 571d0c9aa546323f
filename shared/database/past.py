"""What the books hold of accounts: the source from which their histories are rebuilt, read with psycopg alone.

SQLAlchemy is not imported here: it would double the scorer's start-up time.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from decimal import Decimal
from itertools import chain, groupby
from math import inf
from operator import attrgetter
from threading import TIMEOUT_MAX, Lock
from time import monotonic
from typing import Any, NamedTuple

import psycopg

from shared.database.connection import (
    LONGEST_USE,
    BoundedConnection,
    is_foreign_session,
    missing_setup,
    open_connection,
)
from shared.domain.errors import DatabaseUnavailable
from shared.domain.history import WINDOWS, AccountPast
from shared.domain.transaction import Place, Transaction

MOST = 50_000
"""An account is rebuilt from its newest so many transactions: as many as Redis takes in one script in time."""

FETCHED = 2_000
"""Rows of one statement: far below the server's limit for one, however many accounts are read."""

# Accounts as they were given, of each the merchants and categories first. Batches in the order of their writing, a
# batch in the order of its events: as near as the books come to the order in which they were observed. What claims
# to be older than 1970 counts as of 1970, see counted_at. PostgreSQL sorts each account by itself: their places
# come in order.
_LOAD = f"""
SELECT account.id, past.* FROM unnest(%b::text[]) WITH ORDINALITY AS account(id, place) LEFT JOIN LATERAL (
    WITH newest AS MATERIALIZED (
        SELECT transaction_id, merchant_id, merchant_category, amount, currency,
            greatest("timestamp", 'epoch') AS at, geo_lat, geo_lon, created_at
        FROM transactions WHERE account_id = account.id ORDER BY "timestamp" DESC LIMIT {MOST}
    ),
    kept AS (
        SELECT least(
            date_trunc('day', max(at), 'UTC') - interval '{24 * WINDOWS.kept_days} hours',
            coalesce((array_agg(at ORDER BY at DESC))[{WINDOWS.kept_newest}], '-infinity')
        ) AS since FROM newest
    )
    SELECT newest.* FROM newest, kept WHERE at >= since
    UNION ALL (
        SELECT NULL, merchant_id, NULL, NULL, NULL, min(at), NULL, NULL, min(created_at) FROM newest
        GROUP BY merchant_id ORDER BY min(created_at), min(at) LIMIT {WINDOWS.max_merchants}
    )
    UNION ALL (
        SELECT NULL, NULL, merchant_category, NULL, NULL, min(at), NULL, NULL, min(created_at) FROM newest
        WHERE merchant_category IS NOT NULL
        GROUP BY merchant_category ORDER BY min(created_at), min(at) LIMIT {WINDOWS.max_categories}
    )
) AS past ON true
ORDER BY account.place, past.transaction_id IS NOT NULL, past.created_at, past.at, past.transaction_id
"""  # noqa: S608 - numbers of ours

_UNSETTLED = """
SELECT id FROM unnest(%b::text[]) AS seen(id)
WHERE NOT EXISTS (SELECT FROM transaction_ids WHERE transaction_id = seen.id)
    AND NOT EXISTS (SELECT FROM rejected_messages WHERE transaction_id = seen.id)
"""

_STRANGERS = """
SELECT DISTINCT id COLLATE "C" FROM unnest(%b::text[]) AS asked(id)
WHERE NOT EXISTS (SELECT FROM transactions WHERE account_id = asked.id) ORDER BY 1
"""

# From one account to the next by the index, however many transactions lie between them.
_ACCOUNTS = """
WITH RECURSIVE page(id, n) AS (
    SELECT min(account_id), 1 FROM transactions WHERE account_id > %b
    UNION ALL
    SELECT (SELECT min(account_id) FROM transactions WHERE account_id > page.id), n + 1 FROM page
    WHERE id IS NOT NULL AND n < %b
)
SELECT id FROM page WHERE id IS NOT NULL ORDER BY id
"""


class PostgresPasts:
    """Implements `ports.AccountPasts` on one connection, opened when first needed and again after a loss.

    Safe to share between threads, which take turns.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._turn = Lock()
        self._connection: BoundedConnection | None = None
        self._prepares = True

    def load(self, account_ids: Sequence[str], *, until: float) -> Generator[tuple[str, AccountPast]]:
        """See the port; of an account's transactions only the newest `MOST` are looked at.

        Holds the connection until its end.
        """
        with closing(self._stream(until, _LOAD, list(dict.fromkeys(account_ids)))) as rows:
            for account_id, of_account in groupby(map(_Row._make, rows), attrgetter("account_id")):
                yield account_id, _past(of_account)

    def unsettled(self, transaction_ids: Sequence[str]) -> set[str]:
        """See the port."""
        return {name for (name,) in self._rows(_UNSETTLED, list(transaction_ids))}

    def accounts(self, after: str, limit: int) -> list[str]:
        """The next account ids behind `after` in the order of code points, at most `limit`."""
        return [name for (name,) in self._rows(_ACCOUNTS, after, limit)]

    def strangers(self, account_ids: Sequence[str]) -> list[str]:
        """Those of which nothing is recorded, in the order of code points."""
        return [name for (name,) in self._rows(_STRANGERS, list(account_ids))]

    def close(self) -> None:
        """Give the connection back; the next call opens a new one."""
        with self._turn:
            self._drop()

    def _rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        with self._answering(inf) as connection, connection.cursor(binary=True) as cursor:
            return cursor.execute(query, parameters).fetchall()

    def _stream(self, until: float, query: str, *parameters: object) -> Generator[tuple[Any, ...]]:
        """The rows, FETCHED at a time, so that each statement and what is held of its answer stay small."""
        with (
            self._answering(until) as connection,
            connection.transaction(),
            connection.cursor("pasts", binary=True) as cursor,
        ):
            cursor.execute(query, parameters)
            while rows := cursor.fetchmany(FETCHED):
                yield from rows
                connection.answer_by = _answer_by(until)

    @contextmanager
    def _answering(self, until: float) -> Iterator[BoundedConnection]:
        """The connection, for this thread alone; raises DatabaseUnavailable for whatever goes wrong with it."""
        if not self._turn.acquire(timeout=min(max(until - monotonic(), 0), TIMEOUT_MAX)):
            raise DatabaseUnavailable("Others were reading from PostgreSQL all the time; ask again.")
        try:
            yield self._open(until)
        except psycopg.Error as error:
            self._drop()
            self._prepares = self._prepares and not is_foreign_session(error)
            problem = missing_setup(error) or "PostgreSQL did not tell an account's past; ask again"
            raise DatabaseUnavailable(f"{problem}: {error}") from error
        finally:
            self._turn.release()

    def _open(self, until: float) -> BoundedConnection:
        if self._connection is None or self._connection.closed:
            self._connection = open_connection(self._url, prepares=self._prepares)
        self._connection.answer_by = _answer_by(until)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


class _Row(NamedTuple):
    """A transaction; without `transaction_id` the first instant at a merchant or in a category, or nothing."""

    account_id: str
    transaction_id: str | None
    merchant_id: str
    merchant_category: str | None
    amount: Decimal
    currency: str
    at: datetime
    geo_lat: float | None
    geo_lon: float | None
    created_at: datetime


def _past(rows: Iterator[_Row]) -> AccountPast:
    """One account's past: merchants and categories come first, transactions are read when they are asked for."""
    first_seen: dict[str, datetime] = {}
    first_categories: dict[str, datetime] = {}
    for row in rows:
        if row.transaction_id is not None:
            return AccountPast(map(_transaction, chain([row], rows)), first_seen, first_categories)
        if row.merchant_id is not None:
            first_seen[row.merchant_id] = row.at
        elif row.merchant_category is not None:
            first_categories[row.merchant_category] = row.at
    return AccountPast((), first_seen, first_categories)


def _transaction(row: _Row) -> Transaction:
    place = None if row.geo_lat is None or row.geo_lon is None else Place(row.geo_lat, row.geo_lon)
    return Transaction(
        row.transaction_id or "",
        row.account_id,
        row.merchant_id,
        row.amount,
        row.currency,
        row.at,
        row.merchant_category,
        place,
    )


def _answer_by(until: float) -> float:
    return min(until, monotonic() + LONGEST_USE.total_seconds())
