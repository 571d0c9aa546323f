"""Reads a CSV or CSV.gz of card transactions: our own column names, or those of Kaggle's `fraudTrain.csv`."""

import csv
import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import IO, Any

from shared.command_line import UserError

CellReader = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Row:
    """One transaction as it is posted, and its label where the file has one."""

    posted: dict[str, Any]
    is_fraud: bool | None


@dataclass(frozen=True, slots=True)
class Column:
    """Where a posted field comes from and how its cell is read."""

    field: str
    read: CellReader
    required: bool = True


def read_transactions(path: Path, limit: int | None = None) -> Iterator[Row]:
    """Rows of the file in its order, at most `limit`.

    Identifiers that the API would not take are made to fit, card numbers become tokens, unknown columns are
    dropped. Raises UserError, with the line where it applies, for a file that cannot be read so.
    """
    return islice(_rows(path), limit)


def line_count(path: Path) -> int | None:
    """Lines of the file, its header included; None where it cannot be read to its end."""
    try:
        with _open(path) as file:
            return sum(1 for _ in file)
    except (OSError, EOFError, ValueError, zlib.error):
        return None


def as_identifier(text: str) -> str:
    """`text` where the API takes it as an identifier; else a readable form of it, kept apart by a hash."""
    if _IDENTIFIER.fullmatch(text):
        return text
    if not text:
        raise ValueError("is empty")
    return f"{_NOT_IN_IDENTIFIERS.sub('-', text)[:51].strip('-')}-{_hash(text)}"


def _hash(text: str) -> str:
    return blake2b(text.encode(), digest_size=6).hexdigest()


def _account_token(card_number: str) -> str:
    """A card number is never posted; its token is the same in every file."""
    if not card_number:
        raise ValueError("is empty")
    return f"acct-{_hash(card_number)}"


def _text(cell: str) -> str:
    if not cell:
        raise ValueError("is empty")
    return cell


def _degrees(cell: str) -> float:
    value = float(cell)
    if not isfinite(value):
        raise ValueError("is not finite")
    return value


def _utc(cell: str) -> str:
    """Kaggle's times have no zone; they are taken as UTC."""
    return datetime.fromisoformat(cell).replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")


_IDENTIFIER = re.compile(r"[A-Za-z0-9._:@+-]{1,64}")
_NOT_IN_IDENTIFIERS = re.compile(r"[^A-Za-z0-9._:@+-]+")

OWN_COLUMNS = {
    "transaction_id": Column("transaction_id", as_identifier),
    "account_id": Column("account_id", as_identifier),
    "amount": Column("amount", _text),
    "currency": Column("currency", _text),
    "timestamp": Column("timestamp", _text),
    "merchant_id": Column("merchant_id", as_identifier),
    "merchant_category": Column("merchant_category", _text, required=False),
    "geo_lat": Column("geo_lat", _degrees, required=False),
    "geo_lon": Column("geo_lon", _degrees, required=False),
    "home_lat": Column("home_lat", _degrees, required=False),
    "home_lon": Column("home_lon", _degrees, required=False),
    "channel": Column("channel", _text, required=False),
    "device_id": Column("device_id", _text, required=False),
    "ip_address": Column("ip_address", _text, required=False),
}
KAGGLE_COLUMNS = {
    "trans_num": Column("transaction_id", as_identifier),
    "cc_num": Column("account_id", _account_token),
    "amt": Column("amount", _text),
    "trans_date_trans_time": Column("timestamp", _utc),
    "merchant": Column("merchant_id", as_identifier),
    "category": Column("merchant_category", _text, required=False),
    "merch_lat": Column("geo_lat", _degrees, required=False),
    "merch_long": Column("geo_lon", _degrees, required=False),
    "lat": Column("home_lat", _degrees, required=False),
    "long": Column("home_lon", _degrees, required=False),
}
_LABELS = {"0": False, "1": True, "false": False, "true": True, "": None}


def _rows(path: Path) -> Iterator[Row]:
    lines = _Lines()
    try:
        with _open(path) as file:
            reader = csv.reader(lines.counted(file), strict=True)
            header = [name.strip() for name in next(reader, [])]
            columns = _columns_for(header, path)
            fixed = {"currency": "USD"} if columns is KAGGLE_COLUMNS else {}
            yield from (_row(header, cells, columns, fixed) for cells in reader if cells)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path} is damaged or cut short after line {lines.read}; fetch it again.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not text in UTF-8; save it as CSV in UTF-8.") from error
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path}, line {lines.read}: {error}.") from error


class _Lines:
    """Counts the lines read, so that an error can name its line."""

    read = 0

    def counted(self, file: IO[str]) -> Iterator[str]:
        for line in file:
            self.read += 1
            yield line


def _open(path: Path) -> IO[str]:
    with path.open("rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    opener: Callable[..., IO[str]] = gzip.open if is_gzip else open
    return opener(path, "rt", encoding="utf-8-sig", newline="")


def _columns_for(header: list[str], path: Path) -> dict[str, Column]:
    columns = KAGGLE_COLUMNS if "trans_num" in header else OWN_COLUMNS
    missing = [name for name, column in columns.items() if column.required and name not in header]
    if missing:
        problem = f"lacks the column(s) {', '.join(missing)}" if any(header) else "is empty"
        raise UserError(
            f"{path} {problem}. The first line must name the columns: either "
            f"{', '.join(name for name, column in OWN_COLUMNS.items() if column.required)}, … "
            "or those of Kaggle's fraudTrain.csv."
        )
    twice = [name for name in columns if header.count(name) > 1]
    if twice:
        raise UserError(f"{path} names the column(s) {', '.join(twice)} more than once. Rename all but one.")
    return columns


def _row(header: list[str], cells: list[str], columns: dict[str, Column], fixed: dict[str, str]) -> Row:
    if len(cells) != len(header):
        raise ValueError(f"{len(cells)} cells where the header names {len(header)} columns")
    cell_of = dict(zip(header, map(str.strip, cells), strict=True))
    posted: dict[str, Any] = dict(fixed)
    for name, column in columns.items():
        if column.required or cell_of.get(name):
            posted[column.field] = _read(name, column, cell_of[name])
    return Row(posted, _label(cell_of.get("is_fraud", "")))


def _read(name: str, column: Column, cell: str) -> object:
    try:
        return column.read(cell)
    except ValueError as error:
        raise ValueError(f"column {name}: {error}") from error


def _label(cell: str) -> bool | None:
    if cell.lower() not in _LABELS:
        raise ValueError("column is_fraud must be 0, 1 or empty")
    return _LABELS[cell.lower()]
