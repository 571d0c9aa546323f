"""Monthly partitions of `transactions`, made when the first transaction of a month arrives.

`python -m shared.database partitions --ahead N` makes those of this month and the N next before they are needed.
"""

import argparse
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

import psycopg

from shared.command_line import UserError
from shared.database.connection import CONNECTION_SETTINGS
from shared.database.login import conninfo
from shared.settings import load_settings

PARTITION_LOCK = 0x46535F50


class Month(NamedTuple):
    """A calendar month in UTC."""

    year: int
    month: int

    @property
    def partition(self) -> str:
        """The name of its partition: transactions_2019_01."""
        return f"transactions_{self.year:04}_{self.month:02}"

    @property
    def start(self) -> str:
        """Its first instant; a string, since the month after the last one of Python's calendar has one too."""
        return f"{self.year:04}-{self.month:02}-01 00:00:00+00"

    @property
    def next(self) -> "Month":
        """The month after."""
        return Month(self.year + self.month // 12, self.month % 12 + 1)


def month_of(moment: datetime) -> Month:
    """The month in which an instant in UTC lies."""
    return Month(moment.year, moment.month)


def attached_months(connection: psycopg.Connection) -> list[Month]:
    """The months that have a partition, oldest first."""
    query = "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = %s::regclass"
    named = (_PARTITION.fullmatch(name) for (name,) in connection.execute(query, ["transactions"]))
    return sorted(Month(int(found[1]), int(found[2])) for found in named if found)


_PARTITION = re.compile(r"transactions_(\d{4})_(\d{2})")


def make_partitions(connection: psycopg.Connection, months: Iterable[Month]) -> None:
    """Make the missing partitions among `months`, in a database transaction of its own.

    Does not wait for open writers of other months; harmless where several do it at once.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [PARTITION_LOCK])
        for month in sorted(set(months)):
            if not _is_attached(connection, month):
                connection.execute("SELECT make_month(%s, %s)", month)


def _is_attached(connection: psycopg.Connection, month: Month) -> bool:
    query = "SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass(%s)"
    return connection.execute(query, [month.partition]).fetchone() is not None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How far ahead."""
    parser.add_argument("--ahead", type=int, default=1, metavar="N", help="months after this one (default 1)")


def run(args: argparse.Namespace) -> int:
    """Make partitions ahead; raises UserError where that is not possible."""
    months = [month_of(datetime.now(UTC))]
    for _ in range(args.ahead):
        months.append(months[-1].next)
    url = conninfo(load_settings().postgres_url)
    try:
        with psycopg.connect(url, autocommit=True, **CONNECTION_SETTINGS) as connection:
            make_partitions(connection, months)
    except psycopg.Error as error:
        raise UserError(f"{error}\nMend that, or run python -m shared.database migrate first.") from error
    return 0
