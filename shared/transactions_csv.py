"""Reads a CSV or CSV.gz of card transactions, row by row; rows that cannot be used are left out and counted."""

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from shared.command_line import UserError
from shared.csv_cells import HALF_PLACES, Adjusted, is_absent, label
from shared.csv_layouts import Column, CsvFile, Layout, layout_of
from shared.messages.transaction_errors import PLACES
from shared.skipped_rows import SkippedRows

if TYPE_CHECKING:
    from _csv import Reader


class Row(NamedTuple):
    """One transaction as it is posted, its label where the file has one, the line it ends on, and its id as the
    file writes it."""

    posted: dict[str, Any]
    is_fraud: bool | None
    line: int = 0
    written_id: str = ""


def read_transactions(
    file: CsvFile, limit: int | None = None, skipped: SkippedRows | None = None
) -> Iterator[Row]:
    """Rows of the file in its order, at most `limit`; those that cannot be read are noted in `skipped` instead.

    Identifiers, amounts and times that the API would not take are made to fit, card numbers become tokens; unknown
    columns and optional cells that are no good are dropped. Raises UserError for a file that cannot be read so.
    """
    return islice(_rows(file, skipped or SkippedRows(str(file))), limit)


def line_count(file: CsvFile) -> int | None:
    """Lines of the file, its header included; None where it cannot be read to its end."""
    try:
        with _open(file) as lines:
            return sum(1 for _ in lines)
    except (OSError, EOFError, ValueError, zlib.error):
        return None


def is_gzip(path: Path) -> bool:
    """By its first bytes; raises OSError."""
    with path.open("rb") as raw:
        return raw.read(2) == b"\x1f\x8b"


def is_misnamed(path: Path) -> bool:
    """Whether it is no gzip file though it is named like one; raises OSError."""
    return path.suffix == ".gz" and not is_gzip(path)


def _rows(file: CsvFile, skipped: SkippedRows) -> Iterator[Row]:
    try:
        with _open(file) as lines:
            reader = csv.reader(lines, strict=True)
            header = _header(reader, file)
            yield from _usable(reader, _row_reader(header, layout_of(header, file), file.currency), skipped)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{file} is damaged or cut short after line {skipped.read}; fetch it again.") from error
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror or error}.") from error


def _open(file: CsvFile) -> IO[str]:
    """As text; bytes that are no UTF-8 become lone surrogates, so that they spoil their row only."""
    opener: Callable[..., IO[str]] = gzip.open if is_gzip(file.path) else open
    return opener(file.path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="")


def _header(reader: "Reader", file: CsvFile) -> list[str]:
    try:
        header = [name.strip() for name in next(reader, [])]
        _expect_text(header)
    except (csv.Error, ValueError) as error:
        if is_misnamed(file.path):
            raise UserError(f"{file} is neither a gzip file nor a CSV in UTF-8; fetch it again.") from error
        if isinstance(error, ValueError):
            raise UserError(f"{file} {error}.") from error
        raise UserError(f"{file}, line 1: {error}. The first line must name the columns.") from error
    return header


def _usable(reader: "Reader", row_reader: "_RowReader", skipped: SkippedRows) -> Iterator[Row]:
    while True:
        before = reader.line_num
        try:
            cells = next(reader)
            row = row_reader.row(cells, reader.line_num, skipped.adjusted) if cells else None
        except StopIteration:
            return
        except (csv.Error, ValueError) as error:
            skipped.read += 1
            skipped.skip(reader.line_num, str(error), lines=reader.line_num - before)
            continue
        if row:
            skipped.read += 1
            yield row


@dataclass(frozen=True, slots=True)
class _RowReader:
    """Makes of a row's cells what is posted and the label; `columns` each with its place in the row."""

    width: int
    id_at: int
    columns: tuple[tuple[int, Column], ...]
    label: tuple[int, str] | None
    currency: str
    """That of rows which name none."""

    def row(self, cells: Sequence[str], line: int, adjusted: Adjusted) -> Row:
        """Raises ValueError with what is wrong."""
        if len(cells) != self.width:
            raise ValueError(f"{len(cells)} cells where the header names {self.width} columns")
        _expect_text(cells)
        posted: dict[str, Any] = {}
        for at, column in self.columns:
            cell = cells[at].strip()
            if column.required:
                posted[column.field] = _read(column, cell, adjusted)
            elif not is_absent(cell):
                _read_if_good(column, cell, posted, adjusted)
        _complete(posted, self.currency, adjusted)
        return Row(posted, self._label(cells), line, cells[self.id_at])

    def _label(self, cells: Sequence[str]) -> bool | None:
        if self.label is None:
            return None
        at, name = self.label
        try:
            return label(cells[at].strip())
        except ValueError as error:
            raise ValueError(f"column {name}: {error}") from error


def _row_reader(header: Sequence[str], layout: Layout, currency: str) -> _RowReader:
    columns = [(header.index(each.name), each) for each in layout.columns if each.name in header]
    label_at = (header.index(layout.label), layout.label) if layout.label in header else None
    id_at = next(at for at, column in columns if column.field == "transaction_id")
    return _RowReader(len(header), id_at, tuple(columns), label_at, currency)


def _read(column: Column, cell: str, adjusted: Adjusted) -> object:
    try:
        return column.read(cell, adjusted)
    except ValueError as error:
        raise ValueError(f"column {column.name}: {error}") from error


def _read_if_good(column: Column, cell: str, posted: dict[str, Any], adjusted: Adjusted) -> None:
    try:
        posted[column.field] = column.read(cell, adjusted)
    except ValueError as error:
        adjusted[f"cells are taken for empty: column {column.name} {error}"] += 1


def _complete(posted: dict[str, Any], currency: str, adjusted: Adjusted) -> None:
    """Name the currency where the row does not, and drop half places."""
    if "currency" not in posted:
        posted["currency"] = currency
        adjusted[f"amounts have no currency and are read as {currency}"] += 1
    for place in PLACES:
        given = [name for name in place if name in posted]
        if len(given) == 1:
            del posted[given[0]]
            adjusted[HALF_PLACES] += 1


def _expect_text(cells: Sequence[str]) -> None:
    joined = "".join(cells)
    if not joined.isascii() and any("\ud800" <= c <= "\udfff" for c in joined):
        raise ValueError("is not text in UTF-8; save it as CSV in UTF-8")
