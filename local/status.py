"""Shows the URLs and process ids of what `run` started."""

import argparse
import json
import sys

from local.data_folder import held_state
from local.terminal import tell
from shared.settings import load_settings

_ABSENT = {"urls": "not used", "pids": "not started here"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The one option."""
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    """Exit code 1 where nothing runs."""
    folder = load_settings().data_dir
    state = held_state(folder)
    if state is None:
        print(
            f"Nothing is ready in {folder}: start it with `make run`, or wait for its READY line.", file=sys.stderr
        )
        return 1
    if args.json:
        tell(json.dumps(state))
        return 0
    for kind, rows in state.items():
        for name, value in rows.items():
            tell(f"{kind:5} {name:9} {value or _ABSENT[kind]}")
    return 0
