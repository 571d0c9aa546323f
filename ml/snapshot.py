"""`python -m ml snapshot`: price levels and fraud shares of a day, from PostgreSQL, for the scorers to pick up."""

import argparse
import json
import re
import time
from datetime import UTC, date, datetime, timedelta

import psycopg

from shared.command_line import UserError
from shared.database.long_work import long_work
from shared.database.signal_sums import signals_of
from shared.database.signals import KEPT, keep_signals
from shared.domain.signals import Signals
from shared.settings import load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `snapshot`."""
    parser.add_argument(
        "--day", type=date.fromisoformat, metavar="D", help="UTC day before which all counts; today"
    )
    parser.add_argument(
        "--label-delay", type=_days, default=timedelta(0), metavar="7d", help="count labels so much later; 0d"
    )
    parser.add_argument(
        "--every", type=_minutes, metavar="MINUTES", help="the present day's now and again, until stopped"
    )
    parser.add_argument("--json", action="store_true", help="end with one JSON line")


def _days(text: str) -> timedelta:
    if not re.fullmatch(r"\d{1,3}d", text):
        raise argparse.ArgumentTypeError("must be a number of days such as 7d")
    return timedelta(days=int(text[:-1]))


def _minutes(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Compute and keep a snapshot; raises UserError where PostgreSQL does not answer or the day makes no sense."""
    if args.every and args.day:
        raise UserError("--every is about the present day: leave --day out.")
    url = load_settings().postgres_url
    _snapshot(url, args.day or _today(), args.label_delay, as_json=args.json)
    while args.every:
        time.sleep(60 * args.every)
        _snapshot(url, _today(), args.label_delay, as_json=args.json)
    return 0


def _snapshot(url: str, day: date, label_delay: timedelta, *, as_json: bool) -> None:
    began = time.monotonic()
    with long_work(url) as connection:
        _expect_sensible(connection, day)
        signals, changed = keep_signals(connection, day, signals_of(connection, day, label_delay))
    _report(signals, changed, time.monotonic() - began, as_json=as_json)


def _expect_sensible(connection: psycopg.Connection, day: date) -> None:
    if day > _today():
        raise UserError(f"{day} has not begun in UTC: what will be known before it cannot be told yet.")
    row = connection.execute("SELECT max(day) FROM signal_snapshots").fetchone()
    if row and row[0] and day < row[0] - KEPT:
        raise UserError(
            f"Snapshots are kept for {KEPT.days} days, the newest is of {row[0]}: {day} is too long before it."
        )


def _today() -> date:
    return datetime.now(UTC).date()


def _report(signals: Signals, changed: bool, seconds: float, *, as_json: bool) -> None:
    counts = {
        "merchant_prices": len(signals.merchant_prices),
        "category_prices": len(signals.category_prices),
        "merchant_risks": len(signals.merchant_risk),
        "category_risks": len(signals.category_risk),
    }
    usual = None if signals.usual is None else signals.usual.month
    if as_json:
        told = {"version": signals.version, "changed": changed, "usual": usual} | counts
        print(json.dumps(told | {"seconds": round(seconds, 3)}), flush=True)
        return
    share = "no label is known" if usual is None else f"the usual share of fraud is {usual:.2%}"
    print(
        f"{signals.version} {'is kept' if changed else 'was kept already'} ({seconds:.1f} s): prices of "
        f"{counts['merchant_prices']} merchants and {counts['category_prices']} categories, fraud shares of "
        f"{counts['merchant_risks']} and {counts['category_risks']}; {share}.",
        flush=True,
    )
