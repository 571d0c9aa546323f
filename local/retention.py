"""Deletes what is older than some months from the database of the running build."""

import argparse

from local.chosen import running_urls
from shared.database import retention
from shared.settings import load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of `python -m shared.database retention`."""
    retention.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Retention; raises UserError where nothing runs or something must be mended first."""
    return retention.run_on(running_urls(load_settings(), "database")["database"], args)
