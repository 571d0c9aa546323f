"""Writes account histories from the database to Redis, for accounts that Redis does not know, or for all."""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial

import redis
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from local.chosen import running_urls
from shared.command_line import UserError
from shared.database.past import PostgresPasts
from shared.domain.errors import DatabaseUnavailable, HistoryUnavailable
from shared.feature_store.rebuild import PAGE, Rebuilt, find_unknown, load, pages, replace
from shared.feature_store.redis_history import connect
from shared.feature_store.scripts import unavailable_where_redis_is
from shared.settings import load_settings

PAUSES = (0.05, 0.2, 0.5, 1.0, 2.0)
"""Seconds before an account in use is tried again: longer than a batch is under way, unless a service is away."""

Work = Callable[[Sequence[str]], Rebuilt]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which accounts, and whether those that Redis knows are replaced."""
    parser.add_argument("--account", action="append", metavar="ID", help="only this account; may be given again")
    parser.add_argument(
        "--all",
        action="store_true",
        help="also replace what Redis has, as after a failover that lost its last writes; safe beside scorers",
    )
    parser.add_argument("--json", action="store_true", help="end with one JSON line, no bar")


def run(args: argparse.Namespace) -> int:
    """Rebuild; 0, or 1 where accounts were left as they are. Raises UserError where a service does not answer."""
    urls, began = running_urls(load_settings(), "database", "redis"), time.monotonic()
    with closing(PostgresPasts(urls["database"])) as pasts, connect(urls["redis"]) as client:
        work = partial(_replaced if args.all else _loaded, client, pasts)
        try:
            with unavailable_where_redis_is():
                seen, rebuilt = _rebuild(_accounts(args.account, pasts), work, bar=not args.json)
        except (DatabaseUnavailable, HistoryUnavailable) as error:
            raise UserError(f"{error} What was rebuilt before stays; run it again.") from error
    _report(seen, rebuilt, time.monotonic() - began, as_json=args.json)
    return 1 if rebuilt.left else 0


def _accounts(chosen: Sequence[str] | None, pasts: PostgresPasts) -> Iterator[Sequence[str]]:
    """The chosen accounts, or all that the books know, a page at a time. Raises UserError for one they do not."""
    if chosen:
        if strangers := pasts.strangers(chosen):
            named = ", ".join(map(repr, strangers))
            raise UserError(f"Nothing is recorded of {named}. Give account ids as they were posted.")
        yield from pages(sorted(set(chosen)))
        return
    last = ""
    while page := pasts.accounts(last, PAGE):
        yield page
        last = page[-1]


def _loaded(client: redis.Redis, pasts: PostgresPasts, page: Sequence[str]) -> Rebuilt:
    loaded = load(client, pasts, find_unknown(client, page))
    return Rebuilt(loaded.accounts, loaded.transactions)  # the others are known meanwhile: nothing is left to do


def _replaced(client: redis.Redis, pasts: PostgresPasts, page: Sequence[str]) -> Rebuilt:
    replaced = replace(client, pasts, page)
    for pause in PAUSES:
        if not replaced.left:
            break
        time.sleep(pause)
        replaced = Rebuilt(replaced.accounts, replaced.transactions) + replace(client, pasts, replaced.left)
    return replaced


def _rebuild(accounts: Iterator[Sequence[str]], work: Work, *, bar: bool) -> tuple[int, Rebuilt]:
    """How many accounts were looked at, and what became of them."""
    console, seen, rebuilt = Console(stderr=True), 0, Rebuilt()
    columns = BarColumn(), TextColumn("{task.completed:.0f} accounts"), TimeElapsedColumn()
    with Progress(*columns, console=console, disable=not (bar and console.is_terminal)) as progress:
        task = progress.add_task("accounts", total=None)
        for page in accounts:
            rebuilt += work(page)
            seen += len(page)
            progress.update(task, completed=seen)
    return seen, rebuilt


def _report(seen: int, rebuilt: Rebuilt, seconds: float, *, as_json: bool) -> None:
    if as_json:
        counts = {"accounts": seen, "rebuilt": rebuilt.accounts, "transactions": rebuilt.transactions}
        print(json.dumps(counts | {"left": rebuilt.left, "seconds": round(seconds, 3)}))
        return
    print(
        f"{rebuilt.accounts} of {seen} accounts were rebuilt from {rebuilt.transactions} transactions "
        f"in {seconds:.1f} s."
    )
    if rebuilt.left:
        print(
            f"{len(rebuilt.left)} were left as they are, for example {rebuilt.left[0]}: they have transactions "
            "that are not recorded yet, or are in use all the time. Run it again, or with the scorers stopped."
        )
