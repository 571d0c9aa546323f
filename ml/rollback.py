"""`python -m ml rollback`: give the decisions back to the champion before."""

import argparse

from ml.promote import add_by, tell
from ml.registered import model_book
from shared.command_line import UserError
from shared.database.deployments import champion_before, deploy, retire_champion, running
from shared.domain.deployment import Stage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `rollback`."""
    parser.epilog = (
        "Run again, it takes the rollback back. Before the first champion was FRAUDSENSE_MODEL_DIR's model."
    )
    add_by(parser)
    parser.add_argument("--json", action="store_true", help="end with one JSON line instead of a sentence")


def run(args: argparse.Namespace) -> int:
    """Deploy what was champion before what is; raises UserError where there never was one."""
    with model_book() as book:
        before = champion_before(book.connection)
        if before is not None:
            manifest = book.manifest_of(before).model_dump_json()
            deploy(book.connection, before, Stage.CHAMPION, manifest=manifest, by=args.by)
        elif any(each.stage is Stage.CHAMPION for each in running(book.connection)):
            retire_champion(book.connection)
        else:
            raise UserError("No model was ever champion: there is nothing to roll back; see python -m ml list.")
        tell(running(book.connection), as_json=args.json)
    return 0
