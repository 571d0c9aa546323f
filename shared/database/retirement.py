"""Months of transactions whose time is over: detached, archived where that is wanted, cleared, dropped.

A detached table tells by its name what is left to do, so that whoever comes next can finish it:
`transactions_2025_01_unarchived_<time>` must be archived first, `transactions_2025_01_retired_<time>` may go.
"""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, LiteralString, NamedTuple

import psycopg
from psycopg import errors, sql

from shared.command_line import UserError
from shared.database.archive import archive
from shared.database.partitions import Month, attached_months, make_partitions, month_of
from shared.database.progress import Progress

RETENTION_LOCK = 0x46535F52
BATCH = 1_000
LONGEST_WAIT = timedelta(milliseconds=200)
"""Whoever wants `transactions` waits behind the detaching statement: so it gives up soon and tries again."""
ATTEMPTS = 50

State = Literal["unarchived", "retired"]


class RetentionRuns(UserError):
    """Another retention is at work on this database: let it finish."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A month old enough to look at: its rows, when the newest was received, its alerts that are not closed."""

    month: Month
    transactions: int
    newest_receipt: datetime | None
    alerts_not_closed: int

    def is_due(self, cutoff: datetime) -> bool:
        """Whether all was received before `cutoff` and no alert needs it any more."""
        return not self.alerts_not_closed and (self.newest_receipt is None or self.newest_receipt < cutoff)


class Detached(NamedTuple):
    """A table that was a partition."""

    month: Month
    state: State
    since: str

    @property
    def name(self) -> str:
        """Its name, at most 47 characters."""
        return f"{self.month.partition}_{self.state}_{self.since}"


@contextmanager
def alone(connection: psycopg.Connection) -> Iterator[None]:
    """Hold the lock that keeps two retentions apart, until the end or the loss of the connection.

    Raises RetentionRuns.
    """
    if not _one(connection, sql.SQL("SELECT pg_try_advisory_lock({})").format(RETENTION_LOCK)):
        raise RetentionRuns
    try:
        yield
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", [RETENTION_LOCK])


def candidates(connection: psycopg.Connection, cutoff: datetime) -> list[Candidate]:
    """The months that ended before the month of `cutoff`, oldest first; reads each of them whole."""
    return [_candidate(connection, month) for month in attached_months(connection) if month < month_of(cutoff)]


def _candidate(connection: psycopg.Connection, month: Month) -> Candidate:
    query = sql.SQL(
        "SELECT count(*), max(received_at), (SELECT count(*) FROM alerts JOIN {0} USING (transaction_id)"
        " WHERE status <> 'closed') FROM {0}"
    ).format(sql.Identifier(month.partition))
    return Candidate(month, *(connection.execute(query).fetchone() or (0, None, 0)))


def detached_tables(connection: psycopg.Connection) -> list[Detached]:
    """What earlier runs detached and did not finish."""
    names = connection.execute("SELECT relname FROM pg_class WHERE pg_table_is_visible(oid) AND relkind = 'r'")
    found = (_DETACHED.fullmatch(name) for (name,) in names)
    return sorted(Detached(Month(int(f[1]), int(f[2])), _state(f[3]), f[4]) for f in found if f)


_DETACHED = re.compile(r"transactions_(\d{4})_(\d{2})_(unarchived|retired)_(\d{14})")


def _state(text: str) -> State:
    return "retired" if text == "retired" else "unarchived"


def detach(
    connection: psycopg.Connection, month: Month, state: State, now: datetime, *, attempts: int = ATTEMPTS
) -> Detached:
    """Take a month out of `transactions` and rename it, both or neither. Raises UserError where others hold it.

    Not DETACH CONCURRENTLY: until that ends, and after it was interrupted, the month's late transactions have no
    table, and none can be attached for them.
    """
    detached = Detached(month, state, f"{now:%Y%m%d%H%M%S}")
    for _ in range(attempts):
        try:
            _detach(connection, detached)
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            time.sleep(LONGEST_WAIT.total_seconds())
        else:
            return detached
    raise UserError(
        f"Sessions use transactions all the time, so that {month.partition} cannot be detached: look for long "
        "ones in pg_stat_activity (a backup or a vacuum, perhaps), and run again when they are done."
    )


def _detach(connection: psycopg.Connection, detached: Detached) -> None:
    partition, name = sql.Identifier(detached.month.partition), sql.Identifier(detached.name)
    with connection.transaction():
        connection.execute(f"SET LOCAL lock_timeout = {LONGEST_WAIT // timedelta(milliseconds=1)}")
        connection.execute(sql.SQL("ALTER TABLE transactions DETACH PARTITION {}").format(partition))
        connection.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(partition, name))


def finish(
    connection: psycopg.Connection, table: Detached, cutoff: datetime, folder: Path | None, progress: Progress
) -> Path | None:
    """Give back what must stay, archive, clear and drop a detached table; the archive's path, if there is one.

    Repeating it after an interruption goes on where that came. Raises UserError where the table must be archived
    and no folder is given.
    """
    _give_back_latecomers(connection, table, cutoff)
    path = None
    if table.state == "unarchived":
        if folder is None:
            raise UserError(f"{table.name} was detached to be archived: run again with --archive FOLDER.")
        path = folder / f"{table.month.partition}_{table.since}.jsonl.gz"
        archive(connection, table.name, path, progress)
        table = _rename_to_retired(connection, table)
    _clear(connection, table, progress)
    connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(table.name)))
    return path


def _rename_to_retired(connection: psycopg.Connection, table: Detached) -> Detached:
    retired = table._replace(state="retired")
    rename = sql.SQL("ALTER TABLE {} RENAME TO {}")
    connection.execute(rename.format(sql.Identifier(table.name), sql.Identifier(retired.name)))
    return retired


def _give_back_latecomers(connection: psycopg.Connection, table: Detached, cutoff: datetime) -> None:
    """What came, and whose alert was raised or reopened, between the look at the month and its detaching."""
    query = sql.SQL(
        "SELECT transaction_id FROM {} d WHERE received_at >= %s OR EXISTS"
        " (SELECT FROM alerts a WHERE a.transaction_id = d.transaction_id AND status <> 'closed')"
    ).format(sql.Identifier(table.name))
    with connection.transaction():
        _give_back(connection, table, [name for (name,) in connection.execute(query, [cutoff])])


def _give_back(connection: psycopg.Connection, table: Detached, transaction_ids: Sequence[str]) -> None:
    """Move rows into the partition of their month, which is made anew."""
    if not transaction_ids:
        return
    make_partitions(connection, [table.month])
    move = sql.SQL(
        "WITH moved AS (DELETE FROM {} WHERE transaction_id = ANY(%s) RETURNING *)"
        " INSERT INTO transactions SELECT * FROM moved"
    )
    connection.execute(move.format(sql.Identifier(table.name)), [transaction_ids])


def _clear(connection: psycopg.Connection, table: Detached, progress: Progress) -> None:
    """Delete every row with all that belongs to it.

    A row goes together with its gate: what is posted again with its id afterwards is not touched by a later run.
    """
    total = int(str(_one(connection, sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table.name)))))
    done, last = 0, ""
    while batch := _next_batch(connection, table, last):
        with connection.transaction():
            active = _lock_alerts(connection, batch)
            _give_back(connection, table, active)
            _forget(connection, table, [name for name in batch if name not in active])
        done, last = done + len(batch), batch[-1]
        progress(f"clear {table.name}", done, total)


def _next_batch(connection: psycopg.Connection, table: Detached, last: str) -> list[str]:
    query = sql.SQL("SELECT transaction_id FROM {} WHERE transaction_id > %s ORDER BY transaction_id LIMIT {}")
    return [name for (name,) in connection.execute(query.format(sql.Identifier(table.name), BATCH), [last])]


def _lock_alerts(connection: psycopg.Connection, transaction_ids: Sequence[str]) -> list[str]:
    """The ids whose alert is not closed; nobody can reopen another one before this database transaction ends."""
    query = "SELECT transaction_id, status FROM alerts WHERE transaction_id = ANY(%s) ORDER BY seq FOR UPDATE"
    return [name for name, status in connection.execute(query, [transaction_ids]) if status != "closed"]


_FORGET: Sequence[LiteralString] = (
    "DELETE FROM alert_events WHERE alert_id IN (SELECT id FROM alerts WHERE transaction_id = ANY(%s))",
    "DELETE FROM alerts WHERE transaction_id = ANY(%s)",
    "DELETE FROM labels WHERE transaction_id = ANY(%s)",
    "DELETE FROM shadow_scores WHERE transaction_id = ANY(%s)",
    "DELETE FROM scores WHERE transaction_id = ANY(%s)",
    "DELETE FROM transaction_ids WHERE transaction_id = ANY(%s)",
)


def _forget(connection: psycopg.Connection, table: Detached, transaction_ids: Sequence[str]) -> None:
    for statement in _FORGET:
        connection.execute(statement, [transaction_ids])
    delete = sql.SQL("DELETE FROM {} WHERE transaction_id = ANY(%s)").format(sql.Identifier(table.name))
    connection.execute(delete, [transaction_ids])


def _one(connection: psycopg.Connection, query: sql.Composed) -> object:
    row = connection.execute(query).fetchone()
    return row[0] if row else None
