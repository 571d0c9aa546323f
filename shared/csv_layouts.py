"""What the columns of a CSV of transactions mean: our own names, those of public data sets, and given ones."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from shared import csv_cells as cells
from shared.command_line import UserError
from shared.domain.currencies import CURRENCIES

LABEL = "is_fraud"


@dataclass(frozen=True, slots=True)
class Column:
    """What a file calls a field of the posted transaction, and how its cells are read.

    Cells that are no good cost the row where they are required, and are left out elsewhere.
    """

    name: str
    field: str
    read: cells.CellReader
    required: bool = True


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of one kind of file, and the one that holds the label where there is any."""

    columns: tuple[Column, ...]
    label: str = LABEL

    def lacking(self, header: Sequence[str]) -> list[str]:
        """The required columns that the header does not name."""
        return [column.name for column in self.columns if column.required and column.name not in header]


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV or CSV.gz of transactions; as a text its path.

    `columns` says what the file calls our columns, where it is none of the known layouts: ours -> its.
    `currency` is that of every amount where the file has no column for it. Raises UserError for unknown ones.
    """

    path: Path
    columns: Mapping[str, str] = field(default_factory=dict)
    currency: str = "USD"

    def __post_init__(self) -> None:
        unknown = [name for name in self.columns if name not in FIELDS]
        if unknown:
            raise UserError(f"--columns: there is no {', '.join(unknown)}. There are {', '.join(FIELDS)}.")
        if self.currency not in CURRENCIES:
            raise UserError(f"--currency {self.currency} is no ISO 4217 code in capitals, such as USD.")

    def __str__(self) -> str:
        return str(self.path)


OWN = Layout(
    (
        Column("transaction_id", "transaction_id", cells.identifier),
        Column("account_id", "account_id", cells.identifier),
        Column("amount", "amount", cells.amount),
        Column("timestamp", "timestamp", cells.instant),
        Column("merchant_id", "merchant_id", cells.identifier),
        Column("currency", "currency", cells.currency, required=False),
        Column("merchant_category", "merchant_category", cells.short_text, required=False),
        Column("geo_lat", "geo_lat", cells.latitude, required=False),
        Column("geo_lon", "geo_lon", cells.longitude, required=False),
        Column("home_lat", "home_lat", cells.latitude, required=False),
        Column("home_lon", "home_lon", cells.longitude, required=False),
        Column("channel", "channel", cells.short_text, required=False),
        Column("device_id", "device_id", cells.short_text, required=False),
        Column("ip_address", "ip_address", cells.short_text, required=False),
    )
)
SPARKOV = Layout(
    (
        Column("trans_num", "transaction_id", cells.identifier),
        Column("cc_num", "account_id", cells.card_number),
        Column("amt", "amount", cells.amount),
        Column("trans_date_trans_time", "timestamp", cells.instant),
        Column("merchant", "merchant_id", cells.identifier),
        Column("category", "merchant_category", cells.short_text, required=False),
        Column("merch_lat", "geo_lat", cells.latitude, required=False),
        Column("merch_long", "geo_lon", cells.longitude, required=False),
        Column("lat", "home_lat", cells.latitude, required=False),
        Column("long", "home_lon", cells.longitude, required=False),
    )
)
"""Of the Sparkov generator, as in Kaggle's fraudTrain.csv."""

HANDBOOK = Layout(
    (
        Column("TRANSACTION_ID", "transaction_id", cells.identifier),
        Column("CUSTOMER_ID", "account_id", cells.identifier),
        Column("TX_AMOUNT", "amount", cells.amount),
        Column("TX_DATETIME", "timestamp", cells.instant),
        Column("TERMINAL_ID", "merchant_id", cells.identifier),
    ),
    label="TX_FRAUD",
)
"""Of the simulator in the Fraud Detection Handbook (Le Borgne, Siblini, Lebichot and Bontempi, 2022)."""

LAYOUTS = (OWN, SPARKOV, HANDBOOK)
FIELDS = (*(column.field for column in OWN.columns), LABEL)
"""What --columns can name."""


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Declare --columns and --currency."""
    parser.add_argument(
        "--columns",
        nargs="+",
        default=[],
        metavar="OURS=THEIRS",
        help="what the file calls our columns, for example account_id=card merchant_id=shop",
    )
    parser.add_argument(
        "--currency", default="USD", help="of a file that has no column for it (%(default)s)", metavar="CODE"
    )


def csv_file(path: Path, args: argparse.Namespace) -> CsvFile:
    """The file, read as the arguments of `add_reading` say; raises UserError."""
    pairs = [name.partition("=") for name in args.columns]
    if wrong := [ours for ours, _, theirs in pairs if not theirs]:
        raise UserError(f"--columns {wrong[0]}: write OURS=THEIRS, for example account_id=card.")
    return CsvFile(path, {ours: theirs for ours, _, theirs in pairs}, args.currency)


def layout_of(header: Sequence[str], file: CsvFile) -> Layout:
    """The layout that the header's names fit; raises UserError where they fit none, or name a column twice."""
    layouts = (_renamed(file.columns),) if file.columns else LAYOUTS
    layout = min(layouts, key=lambda each: len(each.lacking(header)))
    if lacking := layout.lacking(header):
        raise _unknown(file, header, lacking)
    named = (*(column.name for column in layout.columns), layout.label)
    if twice := [name for name in dict.fromkeys(named) if header.count(name) > 1]:
        raise UserError(f"{file} names the column(s) {', '.join(twice)} more than once. Rename all but one.")
    return layout


def _renamed(names: Mapping[str, str]) -> Layout:
    columns = (replace(column, name=names.get(column.field, column.name)) for column in OWN.columns)
    return Layout(tuple(columns), names.get(LABEL, LABEL))


def other_delimiter(header: Sequence[str]) -> str | None:
    """What seems to stand between the cells of a header that is one cell, where this is no comma."""
    whole = header[0] if len(header) == 1 else ""
    return next((name for sign, name in _DELIMITERS.items() if sign in whole), None)


_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def _unknown(file: CsvFile, header: Sequence[str], lacking: Sequence[str]) -> UserError:
    if signs := other_delimiter(header):
        return UserError(f"{file} has {signs} between its cells. Save it with commas.")
    problem = f"lacks the column(s) {', '.join(lacking)}" if any(header) else "is empty"
    return UserError(
        f"{file} {problem}. The first line must name the columns: either "
        f"{', '.join(column.name for column in OWN.columns if column.required)}, …, or those of Kaggle's "
        "fraudTrain.csv, or those of the Fraud Detection Handbook; or say with --columns what the file calls ours."
    )
