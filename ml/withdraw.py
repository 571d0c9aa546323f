"""`python -m ml withdraw`: end the trial of a canary or a shadow."""

import argparse

from ml.promote import tell
from ml.registered import model_book
from shared.command_line import UserError
from shared.database.deployments import running, withdraw


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `withdraw`."""
    parser.add_argument("version", metavar="VERSION", help="a canary or shadow")
    parser.add_argument("--json", action="store_true", help="end with one JSON line instead of a sentence")


def run(args: argparse.Namespace) -> int:
    """Take it out of service; raises UserError where it is neither."""
    with model_book() as book:
        if not withdraw(book.connection, args.version):
            raise UserError(
                f"{args.version} is neither canary nor shadow; see python -m ml list. rollback ends a champion."
            )
        tell(running(book.connection), as_json=args.json)
    return 0
