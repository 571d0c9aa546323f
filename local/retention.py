"""Deletes what is older than some months from the database of the running build."""

import argparse

from local.chosen import given_urls
from local.data_folder import held_state
from shared.command_line import UserError
from shared.database import retention
from shared.settings import Settings, load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of `python -m shared.database.retention`."""
    retention.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Retention; raises UserError where nothing runs or something must be mended first."""
    return retention.run_on(_database_that_runs(load_settings()), args)


def _database_that_runs(settings: Settings) -> str:
    """The URL of the PostgreSQL that `run` started, unless the user gave one. Raises UserError."""
    if "database" in given_urls(settings):
        return settings.postgres_url
    state = held_state(settings.data_dir)
    if state is None:
        raise UserError(
            f"Nothing is ready in {settings.data_dir}: start it with `make run`, or set FRAUDSENSE_DATABASE_URL."
        )
    return str(state["urls"]["database"])
