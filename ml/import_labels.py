"""`python -m ml import-labels`: chargebacks and other verdicts from a CSV into PostgreSQL."""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy.exc import DBAPIError

from ml.labels_csv import BadLine, Defaults, Found, read_labels
from shared.command_line import UserError
from shared.database.engine import async_engine
from shared.database.labels import LabelRecords
from shared.database.long_work import what_to_do
from shared.domain.errors import DatabaseUnavailable
from shared.domain.labels import CHARGEBACK, Effect, Label
from shared.messages.label_in import Source
from shared.ports import LabelBook
from shared.settings import load_settings

BATCH = 1_000
SHOWN = 20


@dataclass
class Imported:
    """What became of the lines so far; `empty` ones say nothing of their transaction."""

    empty: int = 0
    effects: Counter[Effect] = field(default_factory=Counter)
    unknown_transactions: int = 0
    bad: list[BadLine] = field(default_factory=list)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `import-labels`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (
        "The file's first line names its columns: transaction_id and label (fraud, legitimate, inconclusive) or\n"
        "is_fraud (0, 1, empty); known_at (a day, or RFC 3339), source, by and note may be there. The same file\n"
        "again changes nothing. Lines that are wrong are told and left out; the exit code is 1 then."
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="CSV or CSV.gz")
    parser.add_argument("--source", type=_source, default=CHARGEBACK, help="where no column says it (%(default)s)")
    parser.add_argument("--by", default="import", metavar="NAME", help="who says so, likewise (%(default)s)")
    parser.add_argument("--json", action="store_true", help="end with one JSON line, no bar")


def _source(text: str) -> str:
    try:
        return TypeAdapter[str](Source).validate_python(text)
    except ValidationError as error:
        raise argparse.ArgumentTypeError("must be lower case, such as chargeback or partner-bank") from error


def run(args: argparse.Namespace) -> int:
    """Import; 0, or 1 where lines were left out. Raises UserError."""
    began, imported = time.monotonic(), Imported()
    defaults = Defaults(args.source, args.by, datetime.now(UTC))
    found = read_labels(args.file, defaults)
    with _told_to_the_user():
        asyncio.run(_import(load_settings().postgres_url, found, imported, bar=not args.json))
    for what, count in defaults.adjusted.items():
        print(f"{args.file}: {count:,} {what}.", file=sys.stderr)
    _report(imported, time.monotonic() - began, as_json=args.json)
    return 1 if imported.bad else 0


@contextmanager
def _told_to_the_user() -> Iterator[None]:
    safe = "What was imported before stays, and importing it again changes nothing."
    try:
        yield
    except DatabaseUnavailable as error:
        cause = error.__cause__
        raise UserError(f"{what_to_do(getattr(cause, 'orig', None) or error)} {safe}") from error
    except DBAPIError as error:
        raise UserError(f"{what_to_do(error.orig or error)} {safe}") from error


async def _import(url: str, found: Iterator[Found], imported: Imported, *, bar: bool) -> None:
    engine, console = async_engine(url), Console(stderr=True)
    columns = BarColumn(), TextColumn("{task.completed:.0f} lines"), TimeElapsedColumn()
    try:
        with Progress(*columns, console=console, disable=not (bar and console.is_terminal)) as progress:
            task = progress.add_task("import", total=None)
            while lines := [*islice(found, BATCH)]:
                await _take(LabelRecords(engine), lines, imported)
                progress.advance(task, len(lines))
    finally:
        await engine.dispose()


async def _take(book: LabelBook, lines: Sequence[Found], imported: Imported) -> None:
    labels = [each for each in lines if isinstance(each, Label)]
    for taken in await book.add(labels) if labels else ():
        imported.effects[taken.effect] += 1
        imported.unknown_transactions += not taken.transaction_known
    imported.bad += [each for each in lines if isinstance(each, BadLine)]
    imported.empty += lines.count(None)


def _report(imported: Imported, seconds: float, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_summary(imported) | {"seconds": round(seconds, 3)}))
        return
    for each in imported.bad[:SHOWN]:
        print(f"line {each.line}: {each.problem}", file=sys.stderr)
    if imported.bad:
        print(f"{len(imported.bad)} lines were left out; mend them and import the file again.", file=sys.stderr)
    counts = ", ".join(f"{imported.effects[effect]} {effect}" for effect in Effect)
    print(
        f"{imported.effects.total()} labels in {seconds:.1f} s: {counts}; {imported.unknown_transactions} of "
        f"transactions that are not recorded yet; {imported.empty} lines without a label."
    )


def _summary(imported: Imported) -> dict[str, Any]:
    bad = [{"line": each.line, "problem": each.problem} for each in imported.bad[:SHOWN]]
    return {
        "labels": imported.effects.total(),
        **{str(effect): imported.effects[effect] for effect in Effect},
        "unknown_transactions": imported.unknown_transactions,
        "without_label": imported.empty,
        "bad_count": len(imported.bad),
        "bad": bad,
    }
