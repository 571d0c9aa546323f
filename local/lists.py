"""`lists`: accounts, merchants and devices that are blocked or trusted, whatever the model finds."""

import argparse
import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from local.chosen import running_urls
from shared.command_line import UserError
from shared.database.engine import async_engine
from shared.database.lists import ListedRecords
from shared.domain.errors import DatabaseUnavailable
from shared.domain.lists import Listed, ListedKind, Verdict
from shared.messages.free_text import Name, Note
from shared.settings import load_settings

_EXAMPLES = """\
  python -m local lists add block merchant mer-17 --until 2026-03-01T00:00Z --by ada --note "compromised"
  python -m local lists add trust account acct-4 --until 30d --by ada
  python -m local lists remove merchant mer-17
  python -m local lists list

A block makes every transaction HIGH, with an alert. Trust makes it LOW, unless a rule that always alerts fires; a
block goes before trust. An entry ends by itself --until a moment or after some time. The scorers follow within
seconds.
"""
_SPAN = re.compile(r"([0-9]{1,5})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One sub command for each thing to do."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    actions = parser.add_subparsers(dest="action", metavar="add|remove|list", required=True)
    add = actions.add_parser("add", help="block or trust, or change what is said about it")
    add.add_argument("verdict", choices=[*Verdict])
    remove = actions.add_parser("remove", help="forget an entry")
    for each in (add, remove):
        each.add_argument("kind", choices=[*ListedKind])
        each.add_argument("value", help="its id, as transactions name it")
    add.add_argument("--until", metavar="WHEN", help="a moment with its zone, or a span: 45m, 12h, 30d")
    add.add_argument("--by", required=True, metavar="WHO", help="who decides so")
    add.add_argument("--note", metavar="TEXT", help="why")
    show = actions.add_parser("list", help="show the entries")
    show.add_argument("--expired", action="store_true", help="also those that count no more")
    for each in (add, remove, show):
        each.add_argument("--json", action="store_true", help="end with one JSON line")


def run(args: argparse.Namespace) -> int:
    """0; 1 where there was nothing to remove. Raises UserError."""
    actions = {"add": _add, "remove": _remove, "list": _list}
    try:
        return asyncio.run(actions[args.action](args))
    except DatabaseUnavailable as error:
        raise UserError(str(error)) from error


async def _add(args: argparse.Namespace) -> int:
    now = datetime.now(UTC)
    entry = Listed(
        kind=ListedKind(args.kind),
        value=_checked(Name, args.value, "the id"),
        verdict=Verdict(args.verdict),
        by=_checked(Name, args.by, "--by"),
        expires_at=None if args.until is None else expiry(args.until, now),
        note=None if args.note is None else _checked(Note, args.note, "--note"),
    )
    async with _records() as records:
        before = await records.put(entry)
    if args.json:
        print(json.dumps({"listed": _as_json(entry, now), "replaced": before and _as_json(before, now)}))
        return 0
    print(f"{entry.kind} {entry.value}: {_said(entry)}.")
    if before is not None:
        print(f"Before: {_said(before)}.")
    return 0


async def _remove(args: argparse.Namespace) -> int:
    async with _records() as records:
        gone = await records.remove((ListedKind(args.kind), args.value))
    if args.json:
        print(json.dumps({"removed": gone and _as_json(gone, datetime.now(UTC))}))
    elif gone is None:
        print(f"There is no entry for {args.kind} {args.value}; `python -m local lists list` shows what there is.")
    else:
        print(f"{gone.kind} {gone.value}: is not {_said(gone)} any more.")
    return 0 if gone else 1


async def _list(args: argparse.Namespace) -> int:
    now = datetime.now(UTC)
    async with _records() as records:
        entries = [each for each in await records.all() if args.expired or each.counts(now)]
    if args.json:
        print(json.dumps({"listed": [_as_json(each, now) for each in entries]}))
    elif entries:
        _print_table(entries, now)
    else:
        print("Nothing is blocked or trusted.")
    return 0


def expiry(said: str, now: datetime) -> datetime:
    """The moment that `--until` names, in UTC; raises UserError unless it lies ahead of `now`."""
    try:
        if span := _SPAN.fullmatch(said):
            moment = now + timedelta(**{_UNITS[span[2]]: int(span[1])})
        else:
            moment = datetime.fromisoformat(said)
        if moment.tzinfo is None:
            raise UserError(f"--until {said} lacks its zone: write {said}Z for UTC, or +02:00 behind it.")
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UserError(f"--until {said} is no moment: write 2026-03-01T12:00Z, or 45m, 12h, 30d.") from None
    if moment <= now:
        raise UserError(f"--until {said} is past: give a moment ahead.")
    return moment


def _checked(form: Any, said: str, what: str) -> str:
    try:
        text: str = TypeAdapter(form).validate_python(said)
    except ValidationError as error:
        raise UserError(f"{what}: {error.errors(include_url=False)[0]['msg']}.") from None
    return text


@asynccontextmanager
async def _records() -> AsyncIterator[ListedRecords]:
    engine = async_engine(running_urls(load_settings(), "database")["database"])
    try:
        yield ListedRecords(engine)
    finally:
        await engine.dispose()


def _said(entry: Listed) -> str:
    reason = f" ({entry.note})" if entry.note else ""
    return f"{entry.reason.usual}{reason}"


def _as_json(entry: Listed, now: datetime) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "value": entry.value,
        "verdict": entry.verdict,
        "until": entry.expires_at.isoformat() if entry.expires_at else None,
        "by": entry.by,
        "note": entry.note,
        "expired": not entry.counts(now),
    }


def _print_table(entries: Sequence[Listed], now: datetime) -> None:
    names = ("kind", "value", "verdict", "until", "by", "note")
    table = Table(*names, box=None, pad_edge=False)
    for entry in entries:
        row = _as_json(entry, now)
        until = "expired" if row["expired"] else (row["until"] or "")[:16].replace("T", " ")
        cells = {name: str(row[name] or "") for name in names} | {"until": until}
        table.add_row(*(Text(cells[name]) for name in names))
    Console(highlight=False).print(table)
