"""What the books hold of accounts: the source from which their histories are rebuilt, read with psycopg alone.

SQLAlchemy is not imported here: it would double the scorer's start-up time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from threading import Lock
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
"""An account is rebuilt from its newest so many transactions, so that none can hold up all others."""

# Batches in the order of their writing, a batch in the order of its events: as near as the books come to the
# order in which they were observed. What claims to be older than 1970 counts as of 1970, see counted_at.
_LOAD = f"""
SELECT account.id, past.* FROM unnest(%b::text[]) AS account(id) CROSS JOIN LATERAL (
    WITH newest AS MATERIALIZED (
        SELECT transaction_id, merchant_id, amount, currency, greatest("timestamp", 'epoch') AS at,
            geo_lat, geo_lon, created_at
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
        SELECT NULL, merchant_id, NULL, NULL, min(at), NULL, NULL, min(created_at) FROM newest
        GROUP BY merchant_id ORDER BY min(created_at), min(at) LIMIT {WINDOWS.max_merchants}
    )
) AS past
ORDER BY created_at, at, transaction_id
"""  # noqa: S608 - numbers of ours

_UNSETTLED = """
SELECT id FROM unnest(%b::text[]) AS seen(id)
WHERE NOT EXISTS (SELECT FROM transaction_ids WHERE transaction_id = seen.id)
    AND NOT EXISTS (SELECT FROM rejected_messages WHERE transaction_id = seen.id)
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

    def load(self, account_ids: Sequence[str]) -> dict[str, AccountPast]:
        """See the port; of an account's transactions only the newest `MOST` are looked at."""
        collected = {name: _Collected() for name in account_ids}
        for account_id, *values in self._rows(_LOAD, list(collected)) if collected else ():
            collected[account_id].add(account_id, _Row(*values))
        return {name: AccountPast(each.transactions, each.first_seen) for name, each in collected.items()}

    def unsettled(self, transaction_ids: Sequence[str]) -> set[str]:
        """See the port."""
        return {name for (name,) in self._rows(_UNSETTLED, list(transaction_ids))}

    def accounts(self, after: str, limit: int) -> list[str]:
        """The next account ids behind `after` in the order of code points, at most `limit`."""
        return [name for (name,) in self._rows(_ACCOUNTS, after, limit)]

    def close(self) -> None:
        """Give the connection back; the next call opens a new one."""
        with self._turn:
            self._drop()

    def _rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        with self._turn:
            try:
                with self._open().cursor(binary=True) as cursor:
                    return cursor.execute(query, parameters).fetchall()
            except psycopg.Error as error:
                self._drop()
                self._prepares = self._prepares and not is_foreign_session(error)
                problem = missing_setup(error) or "PostgreSQL did not tell an account's past; ask again"
                raise DatabaseUnavailable(f"{problem}: {error}") from error

    def _open(self) -> BoundedConnection:
        if self._connection is None or self._connection.closed:
            self._connection = open_connection(self._url, prepares=self._prepares)
        self._connection.answer_by = monotonic() + LONGEST_USE.total_seconds()
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


class _Row(NamedTuple):
    """A transaction, or, without `transaction_id`, the first instant at a merchant."""

    transaction_id: str | None
    merchant_id: str
    amount: Decimal
    currency: str
    at: datetime
    geo_lat: float | None
    geo_lon: float | None
    created_at: datetime


@dataclass
class _Collected:
    """One account's rows so far."""

    transactions: list[Transaction] = field(default_factory=list)
    first_seen: dict[str, datetime] = field(default_factory=dict)

    def add(self, account_id: str, row: _Row) -> None:
        if row.transaction_id is None:
            self.first_seen[row.merchant_id] = row.at
        else:
            place = None if row.geo_lat is None or row.geo_lon is None else Place(row.geo_lat, row.geo_lon)
            self.transactions.append(
                Transaction(
                    row.transaction_id, account_id, row.merchant_id, row.amount, row.currency, row.at, place=place
                )
            )
