"""`python -m ml simulate`: write labelled, seeded card payments of simulated customers to a CSV."""

import argparse
import csv
import gzip
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import track

from ml.simulation.customers import Payment
from ml.simulation.days import Plan, simulated
from ml.simulation.row import posted
from shared.command_line import UserError

COLUMNS = (
    "transaction_id", "account_id", "merchant_id", "merchant_category", "amount", "currency", "timestamp",
    "geo_lat", "geo_lon", "home_lat", "home_lon", "channel", "device_id", "is_fraud", "attack",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `simulate`."""
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="CSV, or CSV.gz by its name")
    parser.add_argument("--seed", type=int, default=7, help="the same seed gives the same bytes (%(default)s)")
    parser.add_argument("--customers", type=_count, default=200, metavar="N", help="card holders (%(default)s)")
    parser.add_argument("--days", type=_count, default=60, metavar="N", help="days to simulate (%(default)s)")
    parser.add_argument(
        "--from", dest="first", type=date.fromisoformat, default=date(2025, 1, 1), metavar="D", help="%(default)s"
    )
    parser.add_argument(
        "--fraud-share", type=_share, default=0.01, metavar="F", help="frauds among the payments (%(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="end with one JSON line instead of sentences")


def run(args: argparse.Namespace) -> int:
    """Simulate and write. Raises UserError."""
    plan = Plan(args.seed, args.customers, args.first, args.days, args.fraud_share)
    if args.days > (datetime.now(UTC).date() - args.first).days:
        raise UserError(
            f"{args.days} days from {args.first} on are not over yet. Give an earlier --from or fewer --days."
        )
    try:
        attacks = _write(args.out, plan)
    except OSError as error:
        raise UserError(f"{args.out} cannot be written: {error.strerror}. Give another --out.") from error
    total, frauds = attacks.total(), attacks.total() - attacks.pop("", 0)
    if args.json:
        print(
            json.dumps({"file": str(args.out), "transactions": total, "frauds": frauds, "attacks": dict(attacks)})
        )
        return 0
    kinds = ", ".join(f"{name} {number}" for name, number in sorted(attacks.items()))
    print(
        f"{args.out}: {total} transactions, {plan.first} to {plan.last}, {frauds} frauds ({kinds or 'no attack'})."
    )
    return 0


def _write(path: Path, plan: Plan) -> Counter[str]:
    """Number of payments by attack, "" for legitimate ones."""
    attacks, console = Counter[str](), Console(stderr=True)
    with _open(path) as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        number = 0
        for day in track(
            simulated(plan),
            "simulating",
            plan.days,
            console=console,
            transient=True,
            disable=not console.is_terminal,
        ):
            writer.writerows(_rows(day, f"sim-{plan.seed}", number))
            attacks.update(payment.attack or "" for payment in day)
            number += len(day)
    return attacks


def _rows(payments: Iterable[Payment], prefix: str, start: int) -> Iterator[dict[str, object]]:
    for number, payment in enumerate(payments, start):
        at = datetime.fromtimestamp(payment.at, UTC)
        labels = {"is_fraud": int(payment.attack is not None), "attack": payment.attack}
        yield posted(payment, f"{prefix}-{number}", at) | labels


@contextmanager
def _open(path: Path) -> Iterator[IO[str]]:
    """A file to write; gzip leaves time and name out, so that equal content is equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as raw:
        if path.suffix != ".gz":
            with TextIOWrapper(raw, "utf-8", newline="") as text:
                yield text
            return
        packed = gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0)
        with packed, TextIOWrapper(packed, "utf-8", newline="") as text:
            yield text


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and a million")
    return number


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 0.5:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 0.5")
    return share
