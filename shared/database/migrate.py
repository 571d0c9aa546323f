"""Bring the database's schema up to date: `python -m shared.database migrate`."""

import argparse
import time
from pathlib import Path

import alembic.command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from shared.command_line import UserError
from shared.database.connection import is_unavailability
from shared.database.grants import grant_on, grantee
from shared.database.login import conninfo
from shared.domain.errors import DatabaseUnavailable
from shared.entra import without_entra
from shared.settings import load_settings

MIGRATIONS = Path(__file__).with_name("migrations")
WAIT_FOR_SERVER_SECONDS = 10.0
MIGRATION_LOCK = 0x46535F4D


def migrate(url: str) -> None:
    """Apply what is missing; harmless where nothing is, and where several do it at once.

    A schema ahead of this build stays as it is: the build came back after a later one, and migrations only expand.

    `url` is one that `login.conninfo` takes. Waits some seconds for the server; raises DatabaseUnavailable.
    """
    try:
        with _connect(_engine(url)) as connection:
            _wait_for_turn(connection)
            config = alembic_config(connection)
            if not _is_ahead(connection, config):
                alembic.command.upgrade(config, "head")
    except OperationalError as error:
        if isinstance(error.orig, LockNotAvailable):
            raise DatabaseUnavailable(
                f"Sessions use a table for long; look for them in pg_stat_activity, and migrate again: {error}"
            ) from error
        if not is_unavailability(error.orig):
            raise
        raise DatabaseUnavailable(f"PostgreSQL did not answer; migrate again once it does: {error}") from error


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration for commands on an open connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _is_ahead(connection: Connection, config: Config) -> bool:
    """Whether a later build migrated, with a revision that this one does not know."""
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    present = set(MigrationContext.configure(connection).get_current_heads())
    connection.commit()
    return not present <= known


def _engine(url: str) -> Engine:
    # A migration that waits for a lock makes every writer behind it wait as well: better to fail and run again.
    settings = {"connect_timeout": 3, "application_name": "fraudsense-migrate", "options": "-c lock_timeout=3s"}
    target = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(target, poolclass=NullPool, connect_args=settings)
    if without_entra(url):
        event.listen(engine, "do_connect", lambda *call: call[-1].update(conninfo_to_dict(conninfo(url))))
    return engine


def _connect(engine: Engine) -> Connection:
    deadline = time.monotonic() + WAIT_FOR_SERVER_SECONDS
    while True:
        try:
            return engine.connect()
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _wait_for_turn(connection: Connection) -> None:
    """Take the session's advisory lock; asked again and again, since a waiting statement would hold up
    CREATE INDEX CONCURRENTLY in the migration that has the lock."""
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": MIGRATION_LOCK}):
        connection.rollback()
        time.sleep(0.1)
    connection.commit()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whom to grant what afterwards."""
    parser.add_argument(
        "--grant",
        action="append",
        default=[],
        type=grantee,
        metavar="DOOR=ROLE[/OBJECT_ID]",
        help="then give a door's role the least that it needs; with an object id, an Entra identity's",
    )


def run(args: argparse.Namespace) -> int:
    """Migrate the database of the settings, and grant; raises UserError where something must be mended first."""
    url = load_settings().postgres_url
    try:
        migrate(url)
    except DatabaseUnavailable as error:
        raise UserError(str(error)) from error
    if args.grant:
        grant_on(url, args.grant)
    return 0
