"""`python -m ml backtest`: what rules would have hit, in a file or in what was recorded."""

import argparse
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from ml.labels import days
from ml.manifest import RULES
from ml.recorded import Recorded, recorded
from ml.replay import Labelled, Learned, Step, after, observed, replayed, rows_of
from ml.rule_tally import Backtest, Hits, RuleHits, Tally
from shared.command_line import UserError
from shared.database.long_work import long_work
from shared.domain.errors import RulesInvalid
from shared.domain.history import WINDOWS
from shared.domain.rules import RuleSet
from shared.rules_file import load_rules
from shared.settings import load_settings

WARM_UP = timedelta(days=WINDOWS.kept_days)
"""Recorded days before --from that fill the histories and signals, and are not counted."""

TABLE_WIDTH = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `backtest`."""
    parser.add_argument(
        "--rules", type=Path, required=True, metavar="FILE", help="the rules to try, also those off"
    )
    parser.add_argument(
        "--against", type=Path, metavar="FILE", help="the present rules (those of FRAUDSENSE_MODEL_DIR)"
    )
    parser.add_argument("--data", type=Path, metavar="FILE", help="CSV or CSV.gz in time order; else PostgreSQL")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, metavar="D", help="first day, YYYY-MM-DD")
    parser.add_argument("--to", dest="last", type=date.fromisoformat, metavar="D", help="last day")
    parser.add_argument(
        "--label-delay",
        type=days,
        default=timedelta(days=7),
        metavar="DAYS",
        help="with --data: days until a label counts for the features (7d)",
    )
    parser.add_argument("--json", action="store_true", help="end with one JSON line instead of a table")


def run(args: argparse.Namespace) -> int:
    """Replay, count, and tell. Raises UserError."""
    _check(args)
    tally = Tally(_rules(args.rules), _rules(args.against or load_settings().model_dir / RULES))
    with _of_file(args) if args.data else _of_books(args) as steps_of_days:
        for steps in steps_of_days:
            if _is_counted(steps[0].day, args.first, args.last):
                tally.add(steps)
    found = tally.result()
    if found is None:
        where = args.data or "PostgreSQL"
        raise UserError(
            f"{where} holds no transactions from {args.first or 'its start'} to {args.last or 'its end'}."
        )
    if args.json:
        print(found.model_dump_json())
    else:
        _print(found)
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.first and args.last and args.last < args.first:
        raise UserError(f"--to {args.last} is before --from {args.first}.")
    if not args.data and not (args.first and args.last):
        raise UserError("Give --data FILE, or --from and --to for the transactions in PostgreSQL.")


def _rules(path: Path) -> RuleSet:
    try:
        return load_rules(path)
    except RulesInvalid as error:
        raise UserError(str(error)) from error


def _is_counted(day: date, first: date | None, last: date | None) -> bool:
    return (first is None or first <= day) and (last is None or day <= last)


@contextmanager
def _of_file(args: argparse.Namespace) -> Iterator[Iterable[list[Step]]]:
    with rows_of(args.data) as rows:
        yield replayed(rows, str(args.data), after(args.label_delay))


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
            outcome = each.outcome
            if outcome is None or outcome.known_at >= self._now:
                yield each.transaction, None
                continue
            self._known[each.transaction.transaction_id] = outcome.known_at.date()
            yield each.transaction, outcome.is_fraud

    def learned(self, day: list[Step]) -> list[Learned]:
        labels = [(step, self._known.pop(step.transaction.transaction_id, None)) for step in day]
        return [
            Learned(step, step.is_fraud, max(known, step.day))
            for step, known in labels
            if known is not None and step.is_fraud is not None
        ]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _print(found: Backtest) -> None:
    console = Console(highlight=False)
    console.width = max(console.width, TABLE_WIDTH)
    console.print(_table(found))
    print(
        f"{found.transactions:,} transactions, {found.first} to {found.last}; {found.labelled:,} have a label, "
        f"{found.frauds:,} of them fraud. `overlap` is the share of a rule's hits that other present rules hit as "
        "well, `new frauds` are those that they miss. Only a rule that always alerts raises one by itself."
    )


def _table(found: Backtest) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("rule", no_wrap=True)
    for name in ("hits", "before", "a day", "precision", "recall", "value caught", "overlap", "new frauds"):
        table.add_column(name, justify="right", no_wrap=True)
    for rule in found.rules:
        name = rule.name if rule.on else f"{rule.name} (off)"
        table.add_row(Text(name), *_cells(rule), _percent(rule.overlap), f"{rule.new_frauds:,}")
    table.add_row("all that are on", *_cells(found.together), "", "")
    table.add_row("the present ones", *_cells(found.present), "", "")
    return table


def _cells(hits: Hits) -> tuple[str, ...]:
    before = hits.hits_before if isinstance(hits, RuleHits) else None
    return (
        f"{hits.hits:,}",
        "" if before is None else f"{before:,}",
        f"{hits.alerts_per_day:,.1f}",
        *map(_percent, (hits.precision, hits.recall, hits.value_caught)),
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
