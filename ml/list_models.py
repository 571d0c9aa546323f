"""`python -m ml list`: the registered models, and what each does now."""

import argparse
import json

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ml.manifest import Manifest, read_manifest
from ml.promote import shown
from ml.registered import ModelBook, model_book, said
from shared.database.deployments import Deployed, running
from shared.domain.errors import ModelInvalid
from shared.model_registry import RegistryUnavailable

TABLE_WIDTH = 130
"""Versions are copied from it, so none is cut off."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `list`."""
    parser.add_argument("--json", action="store_true", help="end with one JSON line instead of a table")


def run(args: argparse.Namespace) -> int:
    """Show them; 1 where one that is in service cannot be read. Raises UserError."""
    with model_book() as book:
        deployed = running(book.connection)
        versions = sorted({*book.registry.versions(), *(each.model_version for each in deployed)})
        manifests = {version: _manifest(book, version) for version in versions}
    if args.json:
        print(json.dumps({"models": [_as_json(*each, deployed) for each in manifests.items()]}))
    elif manifests:
        _print_table(manifests, deployed)
    else:
        print("No model is registered; scorers use the one of FRAUDSENSE_MODEL_DIR.")
    return int(any(manifests[each.model_version] is None for each in deployed))


def _manifest(book: ModelBook, version: str) -> Manifest | None:
    try:
        return read_manifest(book.registry.fetch(version))
    except (ModelInvalid, RegistryUnavailable):
        return None


def _as_json(version: str, manifest: Manifest | None, deployed: list[Deployed]) -> dict[str, object]:
    window = manifest and manifest.training_window.model_dump(mode="json")
    doing = [shown(each) for each in deployed if each.model_version == version]
    return {
        "model_version": version,
        "readable": manifest is not None,
        "mode": manifest and manifest.mode,
        "training_window": window,
        "running": doing[0] if doing else None,
    }


def _print_table(manifests: dict[str, Manifest | None], deployed: list[Deployed]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("version", "trained on", "does", "since", "by"):
        table.add_column(name, no_wrap=True)
    for version, manifest in manifests.items():
        window = (
            f"{manifest.training_window.first} to {manifest.training_window.last}" if manifest else "unreadable"
        )
        doing = [each for each in deployed if each.model_version == version]
        told = [[said(each), f"{each.deployed_at:%Y-%m-%d %H:%M} UTC", each.by or ""] for each in doing]
        cells = [version, window, *(told[0] if told else ["", "", ""])]
        table.add_row(*(Text(cell) for cell in cells))
    console = Console(highlight=False)
    console.width = max(console.width, TABLE_WIDTH)
    console.print(table)
