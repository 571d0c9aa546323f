"""When each row of a file is due, and which rows travel in one request."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from shared.command_line import UserError
from shared.transactions_csv import Row

BATCH = 100
"""Rows in one request: one envelope's worth."""

SLICE_SECONDS = 0.1
"""Rows due within this time of each other may share a request; it bounds how late a paced row is sent."""


@dataclass(frozen=True, slots=True)
class DueBatch:
    """Rows of one request, to be sent `due` seconds after the start."""

    due: float
    rows: tuple[Row, ...]


def schedule(
    rows: Iterable[Row], *, rate: float | None = None, speedup: float | None = None
) -> Iterator[DueBatch]:
    """Batches in file order: at most `rate` rows a second, and by the file's own clock `speedup` times faster.

    Without either, everything is due at once. Raises UserError where the file's clock cannot be read.
    """
    batch: list[Row] = []
    first = last = 0.0
    for due, row in _due_rows(rows, rate, speedup):
        if len(batch) == BATCH or (batch and due > first + SLICE_SECONDS):
            yield DueBatch(last, tuple(batch))
            batch = []
        first = first if batch else due
        batch.append(row)
        last = due
    if batch:
        yield DueBatch(last, tuple(batch))


def _due_rows(rows: Iterable[Row], rate: float | None, speedup: float | None) -> Iterator[tuple[float, Row]]:
    """Each row with its due time; a row whose clock runs backwards is due with the one before it."""
    due = 0.0
    start: float | None = None
    for number, row in enumerate(rows):
        if rate:
            due = max(due, number / rate)
        if speedup:
            clock = _clock(row)
            start = clock if start is None else start
            due = max(due, (clock - start) / speedup)
        yield due, row


def _clock(row: Row) -> float:
    stamp = str(row.posted["timestamp"])
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError as error:
        raise UserError(f"--speedup needs times such as 2019-01-01T00:03:38Z; '{stamp}' is none.") from error
