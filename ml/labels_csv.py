"""Reads a CSV or CSV.gz of labels: `transaction_id,label` and more, or any labelled file of transactions."""

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Any

from shared.command_line import UserError
from shared.csv_cells import Adjusted, identifier
from shared.csv_layouts import other_delimiter
from shared.domain.labels import Label
from shared.messages.label_in import InvalidLabel, parse_label
from shared.transactions_csv import is_gzip, is_misnamed

IDS, VERDICTS = ("transaction_id", "trans_num"), ("label", "is_fraud")
_OPTIONAL = ("known_at", "source", "by", "note")
_IS_FRAUD = {"0": "legitimate", "1": "fraud", "false": "legitimate", "true": "fraud"}


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no label, and what is wrong with it."""

    line: int
    problem: str


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a line without these columns says; `now` is also what no time may lie much ahead of.

    `adjusted` counts what was changed in the lines so that they could be used.
    """

    source: str
    by: str
    now: datetime
    adjusted: Adjusted = field(default_factory=Adjusted)


Found = Label | BadLine | None
"""What a line holds; None where it says nothing of its transaction."""


def read_labels(path: Path, defaults: Defaults) -> Iterator[Found]:
    """What each line says, in the file's order. Raises UserError where the file as a whole cannot be read."""
    try:
        with _open(path) as file:
            yield from _lines(csv.DictReader(file, strict=True), path, defaults)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path} is damaged or cut short; fetch it again, and import it again.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        if is_misnamed(path):
            raise UserError(f"{path} is neither a gzip file nor a CSV in UTF-8; fetch it again.") from error
        raise UserError(f"{path} is not text in UTF-8; save it as CSV in UTF-8.") from error


def _open(path: Path) -> IO[str]:
    opener: Callable[..., IO[str]] = gzip.open if is_gzip(path) else open
    return opener(path, "rt", encoding="utf-8-sig", newline="")


def _lines(reader: csv.DictReader[str], path: Path, defaults: Defaults) -> Iterator[Found]:
    try:
        reader.fieldnames = header = [name.strip() for name in reader.fieldnames or ()]
        columns = _column(header, IDS, path), _column(header, VERDICTS, path)
        for cell_of in reader:
            yield _found(reader.line_num, cell_of, columns, defaults)
    except csv.Error as error:
        line = reader.reader.line_num
        raise UserError(f"{path}, line {line}: {error}. Mend it, and import the file again.") from error


def _found(line: int, cell_of: dict[str | Any, str | Any], columns: tuple[str, str], defaults: Defaults) -> Found:
    if None in cell_of or None in cell_of.values():
        return BadLine(line, "It has not as many cells as the first line names columns.")
    cell_of = {name: cell.strip() for name, cell in cell_of.items()}
    return _label(line, cell_of, columns, defaults) if cell_of[columns[1]] else None


def _column(header: list[str], names: tuple[str, ...], path: Path) -> str:
    found = [name for name in names if name in header]
    if not found and (signs := other_delimiter(header)):
        raise UserError(f"{path} has {signs} between its cells. Save it with commas.")
    if not found:
        problem = f"lacks a column {' or '.join(names)}" if header else "is empty"
        raise UserError(
            f"{path} {problem}. Its first line must name transaction_id and "
            f"label (fraud, legitimate, inconclusive) or is_fraud (0, 1); and may name {', '.join(_OPTIONAL)}."
        )
    return found[0]


def _label(line: int, cell_of: dict[str, str], columns: tuple[str, str], defaults: Defaults) -> Label | BadLine:
    try:
        return parse_label(_posted(cell_of, *columns, defaults), now=defaults.now)
    except (InvalidLabel, ValueError) as error:
        return BadLine(line, str(error))


def _posted(cell_of: dict[str, str], id_column: str, verdict_column: str, defaults: Defaults) -> dict[str, str]:
    """The line as it would be posted; raises ValueError with a sentence."""
    if not cell_of[id_column]:
        raise ValueError(f"{id_column} is empty.")
    given = {name: cell for name in _OPTIONAL if (cell := cell_of.get(name))}
    if "known_at" in given:
        given["known_at"] = _instant(given["known_at"])
    verdict = cell_of[verdict_column].lower()
    if verdict_column == "is_fraud":
        verdict = _verdict(verdict)
    named = {"transaction_id": identifier(cell_of[id_column], defaults.adjusted), "label": verdict}
    return {"source": defaults.source, "by": defaults.by} | given | named


def _verdict(cell: str) -> str:
    if cell not in _IS_FRAUD:
        raise ValueError("is_fraud must be 0, 1 or empty.")
    return _IS_FRAUD[cell]


def _instant(cell: str) -> str:
    """A day alone is its beginning in UTC."""
    try:
        day = date.fromisoformat(cell)
    except ValueError:
        return cell
    return datetime(day.year, day.month, day.day, tzinfo=UTC).isoformat()
