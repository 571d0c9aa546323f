"""CSV files of labelled transactions, small and made up."""

import csv
import gzip
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

HEADER = ("transaction_id", "account_id", "amount", "currency", "timestamp", "merchant_id", "is_fraud")
START = datetime(2026, 1, 1, tzinfo=UTC)
Line = Sequence[object]


def lines(
    count: int = 4000, days: int = 40, fraud: Callable[[int], object] = lambda n: int(n % 100 == 0)
) -> list[Line]:
    """A file's lines in time order: every hundredth is a fraud with an amount of its own size."""
    chance, step = Random(7), timedelta(days=days) / count
    return [
        (
            f"txn-{n}",
            f"acct-{chance.randrange(20)}",
            f"{chance.lognormvariate(3, 0.5) * (30 if n % 100 == 0 else 1):.2f}",
            "USD",
            (START + n * step).isoformat(),
            f"mer-{chance.randrange(50)}",
            fraud(n),
        )
        for n in range(count)
    ]


def written(path: Path, rows: Sequence[Line], header: Line = HEADER) -> Path:
    """The path, with these lines in it."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def cut_short(path: Path) -> None:
    """Half of a compressed file."""
    whole = gzip.compress(written(path, lines()).read_bytes())
    path.write_bytes(whole[: len(whole) // 2])


def unsorted(path: Path) -> None:
    """A file in which txn-20 comes after txn-30."""
    rows = lines(50)
    written(path, [*rows[:20], rows[30], *rows[20:30], *rows[31:]])
