"""Transactions that leave the database, as gzipped JSON lines: a line holds, by table, one transaction's rows.

The rows are PostgreSQL's own JSON, so that `json_populate_recordset` reads them back as they were.
"""

import gzip
import os
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from shared.command_line import UserError
from shared.database.progress import Progress

_BELONGINGS: dict[str, LiteralString] = {
    "transactions": "SELECT t.*",
    "transaction_ids": "SELECT * FROM transaction_ids b WHERE b.transaction_id = t.transaction_id",
    "scores": "SELECT * FROM scores b WHERE b.transaction_id = t.transaction_id",
    "shadow_scores": "SELECT * FROM shadow_scores b WHERE b.transaction_id = t.transaction_id",
    "labels": "SELECT * FROM labels b WHERE b.transaction_id = t.transaction_id",
    "alerts": "SELECT * FROM alerts b WHERE b.transaction_id = t.transaction_id",
    "alert_events": (
        "SELECT e.* FROM alert_events e JOIN alerts b ON b.id = e.alert_id"
        " WHERE b.transaction_id = t.transaction_id ORDER BY e.id"
    ),
}
ARCHIVED_TABLES = tuple(_BELONGINGS)
"""The keys of a line; each holds a list of rows."""


def prepare_folder(folder: Path) -> None:
    """Make the folder of archives where it is missing; raises UserError where nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"{folder} cannot be written: make it writable, or choose another folder with --archive.")


def archive(connection: psycopg.Connection, table: str, path: Path, progress: Progress) -> None:
    """Write a table of the shape of `transactions`, with what belongs to its rows, to a file.

    The file has its name only once it is complete and on the disk. Raises UserError where it cannot be written.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        with open(partial, "wb", opener=_for_the_owner_only) as file:
            with gzip.GzipFile(fileobj=file, mode="wb", filename="") as lines:
                _write(connection, table, lines, progress)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _unwritable(path.parent, error) from error


def _write(connection: psycopg.Connection, table: str, lines: gzip.GzipFile, progress: Progress) -> None:
    total = _count(connection, table)
    with connection.cursor().copy(_lines_of(table)) as rows:
        for number, (line,) in enumerate(rows.rows(), start=1):
            lines.write(line.encode() + b"\n")
            if number % 1_000 == 0 or number == total:
                progress(f"archive {table}", number, total)


def _lines_of(table: str) -> sql.Composed:
    lists = (
        sql.SQL("{}, (SELECT coalesce(json_agg(r), '[]') FROM ({}) r)").format(sql.Literal(name), sql.SQL(rows))
        for name, rows in _BELONGINGS.items()
    )
    copy = sql.SQL("COPY (SELECT json_build_object({}) FROM {} t) TO STDOUT")
    return copy.format(sql.SQL(", ").join(lists), sql.Identifier(table))


def _count(connection: psycopg.Connection, table: str) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
    return int(row[0]) if row else 0


def _for_the_owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    """A rename lasts through a power cut only once its folder is on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(folder: Path, error: OSError) -> UserError:
    return UserError(
        f"The archive cannot be written to {folder} ({error.strerror or error}). Make room there or choose "
        "another folder with --archive, and run again: nothing was deleted that is not archived."
    )
