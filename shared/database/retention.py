"""Delete what is older than some months: `python -m shared.database retention --months N [--archive FOLDER]`."""

import argparse
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors

from shared.command_line import UserError
from shared.database.archive import prepare_folder
from shared.database.connection import CONNECTION_SETTINGS, is_unavailability
from shared.database.login import conninfo
from shared.database.progress import Progress, progress_bars
from shared.database.quarantine_age import count_old_rejections, delete_old_rejections
from shared.database.retirement import Candidate, Detached, alone, candidates, detach, detached_tables, finish
from shared.settings import load_settings

FEWEST_MONTHS = 2
"""Account histories are loaded again from the last 32 days of transactions."""

EXPLANATION = """\
A month of transactions goes once all of it was received more than N months ago: what counts is when FraudSense
got a transaction, so that a replay of old data stays for N months as well. With it go its scores, labels and
closed alerts. A month with alerts that are not closed stays until they are. Quarantined messages last seen more
than N months ago go too. A transaction id that is gone is new when it is posted again.

Run it with --dry-run first. It may run while everything works; interrupted, it goes on where it stopped when run
again. It needs the login that owns the tables.
"""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did, or would do: months that go, old ones that stay, and quarantined messages deleted."""

    cutoff: datetime
    dry_run: bool
    unfinished: Sequence[Detached]
    going: Sequence[Candidate]
    staying: Sequence[Candidate]
    archives: Sequence[Path]
    rejected_messages: int


def retain(connection: psycopg.Connection, cutoff: datetime, folder: Path | None, progress: Progress) -> Report:
    """Retire every month received before `cutoff`, into archives where a folder is given.

    `connection` must be in autocommit mode and its time zone UTC. Raises UserError, psycopg.Error.
    """
    if folder is not None:
        prepare_folder(folder)
    with alone(connection):
        unfinished = detached_tables(connection)
        archives = [finish(connection, table, cutoff, folder, progress) for table in unfinished]
        going, staying = _sorted_out(connection, cutoff)
        for each in going:
            table = detach(connection, each.month, "unarchived" if folder else "retired", _now(connection))
            archives.append(finish(connection, table, cutoff, folder, progress))
        rejected = delete_old_rejections(connection, cutoff)
    return Report(cutoff, False, unfinished, going, staying, [path for path in archives if path], rejected)


def foresee(connection: psycopg.Connection, cutoff: datetime) -> Report:
    """What `retain` would do now; changes nothing."""
    going, staying = _sorted_out(connection, cutoff)
    rejected = count_old_rejections(connection, cutoff)
    return Report(cutoff, True, detached_tables(connection), going, staying, [], rejected)


def _sorted_out(connection: psycopg.Connection, cutoff: datetime) -> tuple[list[Candidate], list[Candidate]]:
    found = candidates(connection, cutoff)
    return [c for c in found if c.is_due(cutoff)], [c for c in found if not c.is_due(cutoff)]


def months_ago(connection: psycopg.Connection, months: int) -> datetime:
    """The instant so many calendar months before now, by the database's clock."""
    row = connection.execute("SELECT now() - make_interval(months => %s)", [months]).fetchone()
    moment: datetime = row[0] if row else _now(connection)
    return moment


def _now(connection: psycopg.Connection) -> datetime:
    return months_ago(connection, 0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How long to keep, and what to do with the rest."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXPLANATION
    parser.add_argument("--months", type=_months, required=True, metavar="N", help="keep this many, at least 2")
    parser.add_argument("--archive", type=Path, metavar="FOLDER", help="write what goes to files there first")
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and change nothing")
    parser.add_argument("--json", action="store_true", help="end with one JSON line instead of a table")


def _months(text: str) -> int:
    if int(text) < FEWEST_MONTHS:
        raise argparse.ArgumentTypeError(
            f"must be at least {FEWEST_MONTHS}: account histories are loaded again from the last 32 days"
        )
    return int(text)


def run(args: argparse.Namespace) -> int:
    """The command on the database of the settings; raises UserError."""
    return run_on(load_settings().postgres_url, args)


def run_on(url: str, args: argparse.Namespace) -> int:
    """The command on a database by its libpq URL; raises UserError."""
    with _connected(url) as connection, progress_bars() as progress:
        cutoff = months_ago(connection, args.months)
        if args.dry_run:
            report = foresee(connection, cutoff)
        else:
            report = retain(connection, cutoff, args.archive, progress)
    print(json.dumps(summary(report)) if args.json else "\n".join(sentences(report)))  # noqa: T201 - the user's
    return 0


@contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection]:
    # Whole months are read and archived in single statements: no limit to their time.
    settings = {"application_name": "fraudsense-retention", "options": "-c timezone=UTC -c lock_timeout=10s"}
    try:
        with psycopg.connect(conninfo(url), autocommit=True, **CONNECTION_SETTINGS | settings) as connection:
            yield connection
    except psycopg.Error as error:
        raise UserError(_what_to_do(error)) from error


def _what_to_do(error: psycopg.Error) -> str:
    if isinstance(error, errors.InsufficientPrivilege):
        return f"This login may not do that; use the one that owns the tables, which migrates: {error}"
    if isinstance(error, errors.UndefinedTable):
        return f"The database is not migrated; run python -m shared.database migrate: {error}"
    if is_unavailability(error):
        return f"PostgreSQL did not answer, or not in time; run again, which goes on where this stopped: {error}"
    return f"PostgreSQL refuses; mend that and run again, which goes on where this stopped: {error}"


def summary(report: Report) -> dict[str, Any]:
    """The report as JSON."""
    return {
        "cutoff": report.cutoff.isoformat(),
        "dry_run": report.dry_run,
        "finished": [table.name for table in report.unfinished],
        "retired": [_told(each) for each in report.going],
        "kept": [_told(each) for each in report.staying],
        "archives": [str(path) for path in report.archives],
        "rejected_messages": report.rejected_messages,
    }


def _told(candidate: Candidate) -> dict[str, Any]:
    newest = candidate.newest_receipt
    return {
        "partition": candidate.month.partition,
        "transactions": candidate.transactions,
        "newest_receipt": newest.isoformat() if newest else None,
        "alerts_not_closed": candidate.alerts_not_closed,
    }


def sentences(report: Report) -> Iterator[str]:
    """The report for people."""
    would = "would go" if report.dry_run else "went"
    yield f"Received before {report.cutoff:%Y-%m-%d %H:%M} UTC:"
    for table in report.unfinished:
        yield f"  {table.name} {would}, left over from an earlier run"
    for each in report.going:
        yield f"  {each.month.partition} {would}: {each.transactions} transactions"
    for each in report.staying:
        yield f"  {each.month.partition} stays: {_why(each)}"
    yield from (f"  archived in {path}" for path in report.archives)
    yield f"  {report.rejected_messages} quarantined messages {would}"


def _why(candidate: Candidate) -> str:
    if candidate.alerts_not_closed:
        return f"{candidate.alerts_not_closed} of its alerts are not closed; close them on the dashboard"
    return f"a transaction was received on {candidate.newest_receipt:%Y-%m-%d}"
