"""The scorer's books: a batch in one database transaction and two round trips, written with psycopg alone.

SQLAlchemy is not imported here: it would double the scorer's start-up time.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Lock
from time import monotonic

import psycopg
from psycopg import errors
from psycopg.rows import dict_row

from shared.database import statements
from shared.database.connection import (
    LONGEST_USE,
    BoundedConnection,
    is_foreign_session,
    is_unavailability,
    missing_setup,
    open_connection,
)
from shared.database.partitions import Month, make_partitions, month_of
from shared.database.rows import (
    ALERT,
    CONTENT,
    DECISION,
    REJECTION,
    SHADOW,
    TRANSACTION,
    Columns,
    T,
    alert_from,
    arrays,
)
from shared.domain.alert import Alert
from shared.domain.books import first_of_each_id, id_conflicts, rejections
from shared.domain.decision import Decision, RejectedMessage, ScoredTransaction
from shared.domain.errors import DatabaseUnavailable
from shared.ports import Recorded
from shared.telemetry import metrics
from shared.telemetry.availability import Availability

ANNOUNCING = timedelta(seconds=3)
"""The sweeper announces what takes longer; no batch waits for it."""
CHECKING = timedelta(seconds=3)
SHADOWING = timedelta(seconds=3)
"""Within what the batch has left: no batch waits longer for shadow scores, which are kept after it."""


class PostgresRecorder:
    """Implements `ports.DecisionRecorder` on one connection, opened when first needed and again after a loss.

    No call takes longer than `longest_use`. Safe to share between threads, which take turns.
    """

    def __init__(self, url: str, longest_use: timedelta = LONGEST_USE) -> None:
        self._url = url
        self._longest_use = longest_use
        self._turn = Lock()
        self._connection: BoundedConnection | None = None
        self._prepares = True
        self._months: set[Month] = set()
        self._shadow_book = Availability("shadow_scores")

    def record(self, scored: Sequence[ScoredTransaction], rejected: Sequence[RejectedMessage]) -> Recorded:
        """See the port. Raises DatabaseUnavailable; what the data causes is raised as it is."""
        if not scored and not rejected:
            return Recorded()
        with self._connected(self._longest_use) as connection:
            recorded = self._written(connection, scored, rejected)
            self._keep_shadows(connection, _shadows(scored, recorded.new))
        return recorded

    def unannounced(self, transaction_ids: Sequence[str]) -> list[Alert]:
        """See the port."""
        with self._connected(ANNOUNCING) as connection, connection.cursor(row_factory=dict_row) as cursor:
            return [*map(alert_from, cursor.execute(statements.UNANNOUNCED, [list(transaction_ids)]))]

    def mark_announced(self, alerts: Sequence[Alert], at: datetime) -> None:
        """See the port; an alert already marked keeps its time."""
        with self._connected(ANNOUNCING) as connection:
            connection.execute(statements.MARK_ANNOUNCED, [at, [alert.alert_id for alert in alerts]])

    def check(self) -> None:
        """See the port; on a connection of its own, so that it does not wait for a batch."""
        try:
            with open_connection(self._url, within=CHECKING) as connection:
                connection.execute("SELECT FROM transaction_ids LIMIT 0")
                read_only = connection.execute("SHOW transaction_read_only").fetchone() == ("on",)
        except psycopg.Error as error:
            raise DatabaseUnavailable(f"PostgreSQL cannot be used: {error}") from error
        if read_only:
            raise DatabaseUnavailable("PostgreSQL takes no writes here; point the URL at the primary.")

    def close(self) -> None:
        """Give the connection back; the next call opens a new one."""
        with self._turn:
            self._drop()

    def _written(
        self,
        connection: psycopg.Connection,
        scored: Sequence[ScoredTransaction],
        rejected: Sequence[RejectedMessage],
    ) -> Recorded:
        self._make_partitions(connection, scored)
        try:
            return _write(connection, scored, rejected)
        except errors.CheckViolation:
            self._months.clear()  # a month's partition was detached since it was seen
            self._make_partitions(connection, scored)
            return _write(connection, scored, rejected)

    def _keep_shadows(self, connection: BoundedConnection, shadows: Sequence[tuple[str, Decision]]) -> None:
        """What models on trial said is no part of the batch: where this fails it is counted and left out."""
        if not shadows:
            return
        connection.answer_by = min(connection.answer_by, monotonic() + SHADOWING.total_seconds())
        try:
            _execute(connection, statements.SHADOWS, SHADOW, shadows)
            self._shadow_book.answered()
        except psycopg.Error as error:
            self._drop(error)
            metrics.count(metrics.SHADOW_FAILURES)
            self._shadow_book.failed(error)

    @contextmanager
    def _connected(self, within: timedelta) -> Iterator[BoundedConnection]:
        with self._turn:
            answer_by = monotonic() + min(within, self._longest_use).total_seconds()
            try:
                connection = self._open()
                connection.answer_by = answer_by
                yield connection
            except psycopg.Error as error:
                if missing := missing_setup(error):
                    raise DatabaseUnavailable(f"{missing}: {error}") from error
                if not is_unavailability(error):
                    raise
                self._drop(error)
                raise DatabaseUnavailable(f"PostgreSQL did not answer; record it again: {error}") from error

    def _open(self) -> BoundedConnection:
        if self._connection is None or self._connection.closed:
            self._connection = open_connection(self._url, prepares=self._prepares)
        return self._connection

    def _drop(self, error: psycopg.Error | None = None) -> None:
        self._prepares = self._prepares and not is_foreign_session(error)
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _make_partitions(self, connection: psycopg.Connection, scored: Sequence[ScoredTransaction]) -> None:
        missing = {month_of(each.transaction.occurred_at) for each in scored} - self._months
        if missing:
            make_partitions(connection, missing)
            self._months |= missing


def _write(
    connection: psycopg.Connection, scored: Sequence[ScoredTransaction], rejected: Sequence[RejectedMessage]
) -> Recorded:
    firsts = first_of_each_id(scored)
    with connection.pipeline(), connection.transaction():
        gated = _pass_gate(connection, list(firsts.values()))
        recorded = {name: firsts[name].content_hash for name in gated}
        recorded |= _recorded_before(connection, [name for name in firsts if name not in gated])
        conflicts = id_conflicts(scored, recorded)
        _execute(connection, statements.REJECT, REJECTION, rejections([*rejected, *conflicts]))
        new = [each for name, each in firsts.items() if name in gated]
        _raise_alerts(connection, new)
    return Recorded(frozenset(gated), conflicts)


def _shadows(scored: Sequence[ScoredTransaction], new: Collection[str]) -> list[tuple[str, Decision]]:
    firsts = first_of_each_id(scored)
    return [(name, shadow) for name in firsts if name in new for shadow in firsts[name].shadows]


def _pass_gate(connection: psycopg.Connection, firsts: Sequence[ScoredTransaction]) -> set[str]:
    """Record what is new; the ids that are."""
    cursor = _execute(connection, statements.RECORD, [*TRANSACTION, *DECISION, *CONTENT], firsts)
    return {name for (name,) in cursor} if cursor else set()


def _recorded_before(connection: psycopg.Connection, transaction_ids: list[str]) -> dict[str, bytes]:
    """Content hashes; asked in a statement of its own, since the gate's does not see what it waited for."""
    if not transaction_ids:
        return {}
    return dict(connection.execute(statements.RECORDED, [transaction_ids]).fetchall())


def _raise_alerts(connection: psycopg.Connection, recorded: Sequence[ScoredTransaction]) -> None:
    """Comes last in the batch: whoever waits for anything while holding the lock makes all others wait."""
    alarming = [each for each in recorded if each.decision.raises_alert]
    if alarming:
        connection.execute(statements.LOCK_ALERTS)
        _execute(connection, statements.RAISE_ALERTS, ALERT, alarming)


def _execute(
    connection: psycopg.Connection, statement: str, columns: Columns[T], items: Sequence[T]
) -> psycopg.Cursor[tuple[str, ...]] | None:
    if not items:
        return None
    return connection.execute(statement, arrays(columns, items), prepare=True)
