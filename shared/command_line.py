"""A command line made of one module per command, loaded only when it is called."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Protocol, cast

from shared.domain.errors import FraudSenseError


class UserError(FraudSenseError):
    """Something the user can mend; the message says what to do. Exit code 2."""


class Command(Protocol):
    """A command's module: its docstring's first line is its help."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare its options."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it; the result is the exit code."""


def main(program: str, description: str, commands: Mapping[str, tuple[str, str]], argv: Sequence[str]) -> int:
    """Run one of `commands`: name -> (module, one line of help)."""
    parser = argparse.ArgumentParser(prog=program, description=description)
    choices = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((word for word in argv if word in commands), None)
    for name, (module, summary) in commands.items():
        sub = choices.add_parser(name, help=summary, description=summary)
        if name == chosen:
            command = cast("Command", import_module(module))
            command.add_arguments(sub)
            sub.set_defaults(run=command.run)
    args = parser.parse_args(argv)
    try:
        return cast("int", args.run(args))
    except UserError as error:
        print(f"{program}: {error}", file=sys.stderr)  # noqa: T201 - the user reads this
        return 2
