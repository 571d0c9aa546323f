"""Progress bars on stderr, where that is a terminal: over the rows of a file, and over what follows."""

import sys
from collections.abc import Iterable, Iterator
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


@contextmanager
def rows_of(file: CsvFile, skipped: SkippedRows) -> Iterator[Iterable[Row]]:
    """The file's rows under a progress bar; what was left out or adjusted is told on stderr at the end."""
    with _bar("replaying") as progress:
        lines = line_count(file) if not progress.disable else None
        yield progress.track(read_transactions(file, skipped=skipped), total=lines and lines - 1)
    for sentence in skipped.sentences():
        print(sentence, file=sys.stderr)


def tracked(what: str, found: Iterable[T], total: int) -> Iterator[T]:
    """What is found, `total` of it, under a bar."""
    with _bar(what) as progress:
        yield from progress.track(found, total=total)


def _bar(what: str) -> Progress:
    console = Console(stderr=True)
    columns = TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
