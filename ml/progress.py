"""Progress on stderr, over the rows of a file and what follows: a bar on a terminal, else a line a minute."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from shared.csv_layouts import CsvFile
from shared.skipped_rows import SkippedRows
from shared.transactions_csv import Row, line_count, read_transactions

T = TypeVar("T")
QUIET_SECONDS = 60.0


@contextmanager
def rows_of(file: CsvFile, skipped: SkippedRows) -> Iterator[Iterable[Row]]:
    """The file's rows under a progress bar; what was left out or adjusted is told on stderr at the end."""
    with _bar("replaying") as progress:
        rows = read_transactions(file, skipped=skipped)
        if progress.disable:
            yield told("replaying", rows)
        else:
            lines = line_count(file)
            yield progress.track(rows, total=lines and lines - 1)
    for sentence in skipped.sentences():
        print(sentence, file=sys.stderr)


def tracked(what: str, found: Iterable[T], total: int) -> Iterator[T]:
    """What is found, `total` of it, under a bar."""
    with _bar(what) as progress:
        yield from told(what, found, total) if progress.disable else progress.track(found, total=total)


def told(
    what: str, found: Iterable[T], total: int | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[T]:
    """What is found; how much that is so far is told every minute, by `clock` in seconds."""
    last = clock()
    for count, each in enumerate(found, start=1):
        yield each
        if clock() - last >= QUIET_SECONDS:
            last = clock()
            print(f"{what}: {count:,}{f' of {total:,}' if total else ''} so far", file=sys.stderr, flush=True)


def _bar(what: str) -> Progress:
    console = Console(stderr=True)
    columns = TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
