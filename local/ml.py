"""Runs `python -m ml COMMAND` on the services of the running build."""

import argparse
import subprocess

from local.chosen import running_urls
from local.parts import environment_of_parts, python_module
from shared.settings import load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of `python -m ml`."""
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND …", help="see python -m ml --help")


def run(args: argparse.Namespace) -> int:
    """The command's exit code; raises UserError where nothing runs."""
    settings = load_settings()
    environment = environment_of_parts(running_urls(settings, "database"), settings)
    return subprocess.run(python_module("ml", *args.words), env=environment, check=False).returncode
