"""`python -m ml promote`: put a registered model into service."""

import argparse
import json
import os
import re
from dataclasses import asdict
from decimal import Decimal

from ml.registered import ModelBook, model_book, said
from shared.command_line import UserError
from shared.database.deployments import Deployed, deploy, running
from shared.domain.deployment import BUCKETS, Stage

_SHARE = re.compile(r"\d{1,3}(\.\d{1,2})?%")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `promote`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (
        "champion: it decides. canary: it decides for a share of the accounts; a larger share keeps who was in.\n"
        "shadow: its decisions are recorded in shadow_scores and never act. Scorers follow within 30 seconds."
    )
    parser.add_argument("version", metavar="VERSION", help="as `list` names it")
    parser.add_argument("--stage", type=Stage, choices=[*Stage], required=True)
    parser.add_argument("--share", type=share, metavar="5%", help="of the accounts, for a canary")
    add_by(parser)
    parser.add_argument("--json", action="store_true", help="end with one JSON line instead of a sentence")


def add_by(parser: argparse.ArgumentParser) -> None:
    """Declare who does it."""
    user = os.environ.get("USER", "command line")
    parser.add_argument("--by", default=user, metavar="NAME", help="who decides so (%(default)s)")


def share(text: str) -> int:
    """Accounts in ten thousand, from a percentage such as 5% or 0.25%."""
    if not _SHARE.fullmatch(text) or Decimal(text[:-1]) > 100:
        raise argparse.ArgumentTypeError("must be a percentage such as 5% or 0.25%, at most 100%")
    return int(Decimal(text[:-1]) * BUCKETS / 100)


def run(args: argparse.Namespace) -> int:
    """Check that the model loads and deploy it; raises UserError."""
    if (args.share is None) is (args.stage is Stage.CANARY):
        raise UserError("--share belongs to a canary: give it with --stage canary, and only there.")
    with model_book() as book:
        manifest = book.manifest_of(args.version).model_dump_json()
        _expect_replaceable(book, args.version, args.stage)
        deploy(book.connection, args.version, args.stage, manifest=manifest, by=args.by, share=args.share)
        tell(running(book.connection), as_json=args.json)
    return 0


def _expect_replaceable(book: ModelBook, version: str, stage: Stage) -> None:
    present = {each.model_version: each.stage for each in running(book.connection)}.get(version)
    if present is Stage.CHAMPION:
        other = "already" if stage is Stage.CHAMPION else f"and cannot be {stage} as well"
        raise UserError(f"{version} is champion {other}: promote another version, or run python -m ml rollback.")


def tell(deployed: list[Deployed], *, as_json: bool) -> None:
    """What is in service now."""
    if as_json:
        print(json.dumps({"running": [shown(each) for each in deployed]}))
        return
    told = ", ".join(f"{each.model_version} is {said(each)}" for each in deployed)
    print(f"{told or 'Scorers use the model of FRAUDSENSE_MODEL_DIR'}. Scorers follow within 30 seconds.")


def shown(deployed: Deployed) -> dict[str, object]:
    """As JSON has it; the share in percent."""
    percent = None if deployed.share is None else deployed.share * 100 / BUCKETS
    kept = {name: value for name, value in asdict(deployed).items() if name not in {"salt", "share"}}
    return kept | {"deployed_at": deployed.deployed_at.isoformat(), "share_percent": percent}
