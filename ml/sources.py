"""The transactions of some days, from a file or as PostgreSQL recorded them, replayed with their features."""

import argparse
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ml.labels import days
from ml.progress import rows_of
from ml.recorded import Recorded, recorded
from ml.replay import Labelled, Learned, Step, after, observed, replayed
from shared.command_line import UserError
from shared.csv_layouts import add_reading, csv_file
from shared.database.long_work import long_work
from shared.domain.history import WINDOWS
from shared.settings import load_settings
from shared.skipped_rows import SkippedRows

WARM_UP = timedelta(days=WINDOWS.kept_days)
"""Recorded days before --from that fill the histories and signals, and are not counted."""


def add_source(parser: argparse.ArgumentParser) -> None:
    """Declare --data with how it is read, --from, --to and --label-delay."""
    parser.add_argument("--data", type=Path, metavar="FILE", help="CSV or CSV.gz in time order; else PostgreSQL")
    add_reading(parser)
    parser.add_argument("--from", dest="first", type=date.fromisoformat, metavar="D", help="first day, YYYY-MM-DD")
    parser.add_argument("--to", dest="last", type=date.fromisoformat, metavar="D", help="last day")
    parser.add_argument(
        "--label-delay",
        type=days,
        default=timedelta(days=7),
        metavar="DAYS",
        help="with --data: days until a label counts for the features (7d)",
    )


def expect_source(args: argparse.Namespace) -> None:
    """Raises UserError where the arguments of `add_source` do not name transactions."""
    if args.first and args.last and args.last < args.first:
        raise UserError(f"--to {args.last} is before --from {args.first}.")
    if not args.data and not (args.first and args.last):
        raise UserError("Give --data FILE, or --from and --to for the transactions in PostgreSQL.")


@contextmanager
def steps_of_days(args: argparse.Namespace) -> Iterator[Iterator[list[Step]]]:
    """The steps of each wanted day, one after the other. Raises UserError."""
    with _of_file(args) if args.data else _of_books(args) as source:
        yield (steps for steps in source if _is_wanted(steps[0].day, args.first, args.last))


def no_transactions(args: argparse.Namespace) -> UserError:
    """What to say where the wanted days hold none."""
    where = args.data or "PostgreSQL"
    return UserError(
        f"{where} holds no transactions from {args.first or 'its start'} to {args.last or 'its end'}."
    )


def _is_wanted(day: date, first: date | None, last: date | None) -> bool:
    return (first is None or first <= day) and (last is None or day <= last)


@contextmanager
def _of_file(args: argparse.Namespace) -> Iterator[Iterable[list[Step]]]:
    file = csv_file(args.data, args)
    skipped = SkippedRows(str(file))
    with rows_of(file, skipped) as rows:
        yield replayed(rows, skipped, after(args.label_delay))


@contextmanager
def _of_books(args: argparse.Namespace) -> Iterator[Iterable[list[Step]]]:
    """The recorded days under a progress bar, the warm-up first."""
    since, now = _midnight(args.first) - WARM_UP, datetime.now(UTC)
    until = min(_midnight(args.last) + timedelta(days=1), now)
    console = Console(stderr=True)
    columns = TextColumn("replaying days"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with (
        long_work(load_settings().postgres_url) as connection,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        books = _Books(now)
        source = books.labelled(recorded(connection, since, until, now))
        yield progress.track(observed(source, "PostgreSQL", books.learned), total=(until - since).days + 1)


class _Books:
    """Hands each label on when it became known; until `now`, and presumed ones with the rest."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._known: dict[str, date] = {}

    def labelled(self, transactions: Iterator[Recorded]) -> Iterator[Labelled]:
        for each in transactions:
            outcome, its_id = each.outcome, each.transaction.transaction_id
            if outcome is None or outcome.known_at >= self._now:
                yield Labelled(each.transaction, None, its_id)
                continue
            self._known[its_id] = outcome.known_at.date()
            yield Labelled(each.transaction, outcome.is_fraud, its_id)

    def learned(self, day: list[Step]) -> list[Learned]:
        labels = [(step, self._known.pop(step.transaction.transaction_id, None)) for step in day]
        return [
            Learned(step, step.is_fraud, max(known, step.day))
            for step, known in labels
            if known is not None and step.is_fraud is not None
        ]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
