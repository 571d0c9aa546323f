"""`dead-letters`: what was given up on, on the queue and in quarantine: look at it, send it again, discard it."""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from local.dead_letters_sources import Source, opened, publishing
from local.dead_letters_view import Tally, facts_of, print_table, progress_bar, summary_of, whole_of
from shared.command_line import UserError
from shared.database.rejected import is_row
from shared.dead_letters import DeadLetters, Selection, Settled, purge, redrive
from shared.domain.errors import BrokerUnavailable, DatabaseUnavailable
from shared.settings import load_settings

SOURCES: tuple[Source, ...] = ("queue", "quarantine")
_AWAY = (BrokerUnavailable, DatabaseUnavailable)
_EXAMPLES = """\
Two places keep what could not be handled. The queue's dead letters are whole messages that failed too often. The
quarantine (table rejected_messages) holds messages and single items that cannot be scored, with the reason.

  python -m local dead-letters list                             the oldest 50 of each
  python -m local dead-letters list --source quarantine --reason time_in_future
  python -m local dead-letters show rejected-17                 one of them, whole
  python -m local dead-letters redrive rejected-17 rejected-18  send these again
  python -m local dead-letters redrive --all --source queue     once the cause is mended
  python -m local dead-letters purge --reason unreadable --yes  delete for good

Mend the cause first: what fails again comes back. Sending twice is harmless, a transaction is scored once.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One sub command for each thing to do."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    actions = parser.add_subparsers(dest="action", metavar="list|show|redrive|purge", required=True)
    add = {name: actions.add_parser(name, help=said, description=said) for name, said in _ACTIONS.items()}
    add["list"].add_argument(
        "--limit", type=_positive, default=50, metavar="N", help="of each source (default: 50)"
    )
    add["show"].add_argument("ids", metavar="ID", nargs=1, help="as `list` shows it")
    for name in ("redrive", "purge"):
        add[name].add_argument("ids", metavar="ID", nargs="*", help="as `list` shows them")
        add[name].add_argument("--all", action="store_true", help="every one of the source")
    for name in ("list", "redrive", "purge"):
        add[name].add_argument("--reason", metavar="R", help="only those with this reason")
    add["redrive"].add_argument(
        "--force", action="store_true", help="with IDs: also what is better not sent again"
    )
    add["purge"].add_argument("--yes", action="store_true", help="do not ask")
    for each in add.values():
        each.add_argument("--source", choices=[*SOURCES, "all"], default="all", help="where (default: all)")
        each.add_argument("--json", action="store_true", help="end with one JSON line")


_ACTIONS = {
    "list": "show what waits, the oldest first; looking changes nothing",
    "show": "show one of them whole: headers, reason, body; card data masked",
    "redrive": "publish to the queue again, and remove once the broker confirmed",
    "purge": "delete for good",
}


def run(args: argparse.Namespace) -> int:
    """0; 1 where some of those asked for were left or not found. Raises UserError."""
    actions = {"list": _list, "show": _show, "redrive": _redrive, "purge": _purge}
    try:
        return asyncio.run(actions[args.action](args))
    except _AWAY as error:
        raise UserError(str(error)) from error
    except KeyboardInterrupt:
        raise UserError("Stopped; what was not settled is still there.") from None


async def _list(args: argparse.Namespace) -> int:
    rows: list[dict[str, Any]] = []
    waiting: dict[str, int] = {}
    for source in _sources(args):
        async with opened(load_settings(), source) as letters:
            state = await letters.waiting()
            found = await letters.look(Selection(reason=args.reason), args.limit)
        waiting[source] = state.letters
        rows += [summary_of(source, letter) for letter in found]
        _say(state.notice)
    if args.json:
        print(json.dumps({"letters": rows, "waiting": waiting}))
        return 0
    if rows:
        print_table(rows)
    print("; ".join(f"{source}: {number} waiting" for source, number in waiting.items()) + ".")
    return 0


async def _show(args: argparse.Namespace) -> int:
    for source in _sources(args):
        async with opened(load_settings(), source) as letters:
            found = await letters.look(Selection(frozenset(args.ids)), 1)
        if found:
            whole = whole_of(source, found[0])
            print(json.dumps(whole) if args.json else facts_of(whole))
            return 0
    raise UserError(f"No dead letter has the id {args.ids[0]}; `python -m local dead-letters list` shows them.")


async def _redrive(args: argparse.Namespace) -> int:
    _expect_choice(args)
    if args.force and not args.ids:
        raise UserError("--force is for letters named by id: give the ids that `list` shows.")
    tally = Tally()
    async with publishing(load_settings()) as publisher:
        await _settle(args, tally, partial(redrive, publisher=publisher, force=args.force))
    return _told(args, tally, "redriven")


async def _purge(args: argparse.Namespace) -> int:
    _expect_choice(args)
    if not args.yes:
        _ask(args)
    tally = Tally()
    await _settle(args, tally, purge)
    return _told(args, tally, "purged")


async def _settle(
    args: argparse.Namespace,
    tally: Tally,
    work: Callable[[DeadLetters, Selection], AsyncGenerator[Settled]],
) -> None:
    named = frozenset(args.ids)
    for source in _sources(args):
        async with opened(load_settings(), source) as letters:
            total = None if named or args.reason else (await letters.waiting()).letters
            with progress_bar(quiet=args.json) as bar:
                task = bar.add_task(f"{args.action} {source}", total=total)
                try:
                    async with aclosing(work(letters, Selection(named, args.reason))) as steps:
                        async for step in steps:
                            tally.count(step, named)
                            bar.advance(task)
                except _AWAY as error:
                    raise UserError(
                        f"{error} {tally.done} were settled before; run it again, the rest is still there."
                    ) from error


def _told(args: argparse.Namespace, tally: Tally, done: str) -> int:
    missing = sorted(set(args.ids) - tally.seen)
    if args.json:
        left = [{"why": why, "ids": ids} for why, ids in tally.left.items()]
        print(json.dumps({done: tally.done, "left_count": tally.left_count, "left": left, "not_found": missing}))
    else:
        print(f"{tally.done} {done}, {tally.left_count} left.")
        for why, ids in tally.left.items():
            print(f"Left: {', '.join(ids)}. {why}")
        if missing:
            print(f"Not found: {', '.join(missing)}. `python -m local dead-letters list` shows what there is.")
    return 1 if tally.left_count or missing else 0


def _sources(args: argparse.Namespace) -> Sequence[Source]:
    """The one that was asked for; else those that the ids belong to, or both."""
    if args.source != "all":
        return (args.source,)
    ids = getattr(args, "ids", None)
    if not ids:
        return SOURCES
    rows = {is_row(each) for each in ids}
    return [source for source, of_rows in zip(SOURCES, (False, True), strict=True) if of_rows in rows]


def _expect_choice(args: argparse.Namespace) -> None:
    if args.ids and (args.all or args.reason):
        raise UserError("Give ids, or --all, or --reason R: not ids and one of the others.")
    if not (args.ids or args.all or args.reason):
        raise UserError("Say which letters: their ids, --reason R, or --all.")


def _ask(args: argparse.Namespace) -> None:
    if args.json or not sys.stdin.isatty():
        raise UserError("purge deletes for good: add --yes.")
    meant = ", ".join(args.ids) or f"all{f' with reason {args.reason}' if args.reason else ''}"
    if input(f"Delete for good, {' and '.join(_sources(args))}: {meant}? [y/N] ").strip().lower() != "y":
        raise UserError("Nothing was deleted.")


def _say(notice: str) -> None:
    if notice:
        print(notice, file=sys.stderr)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
