"""`python -m ml register`: put a model folder into the registry, as it is or with other rules."""

import argparse
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ml.manifest import MANIFEST, RULES, Manifest
from ml.model_folder import sealed
from ml.registered import loadable, told_to_the_user
from shared.command_line import UserError
from shared.model_registry import registry_for
from shared.rules_file import load_rules, parsed_rules
from shared.settings import load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `register`."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="as python -m ml train wrote it")
    parser.add_argument(
        "--rules", type=Path, metavar="FILE", help="serve these rules instead of its own: a new version"
    )
    parser.add_argument("--json", action="store_true", help="end with one JSON line instead of a sentence")


def run(args: argparse.Namespace) -> int:
    """Check that a scorer takes the folder, and register it; raises UserError."""
    registry = registry_for(load_settings())
    with told_to_the_user(), _chosen(args.folder, args.rules) as folder:
        version = loadable(folder).model_version
        known = version in registry.versions()
        registry.put(folder, version)
    if args.json:
        print(json.dumps({"model_version": version, "known": known}))
    else:
        done = "was registered already; its files were put there again" if known else "is registered"
        print(f"{version} {done}. Next: python -m ml promote {version} --stage shadow|canary|champion.")
    return 0


@contextmanager
def _chosen(folder: Path, rules: Path | None) -> Iterator[Path]:
    """The folder itself, or for a while a copy with these rules."""
    if rules is None:
        yield folder
        return
    with TemporaryDirectory() as place:
        copy = Path(place) / "model"
        with_rules(folder, loadable(folder), rules, copy)
        yield copy


def with_rules(folder: Path, manifest: Manifest, rules: Path, out: Path) -> None:
    """Write the model of `folder` to `out` with the rules of a file, under a version of its own.

    Thresholds and calibration stay: HIGH may become more or less than the target rate. Raises RulesInvalid, and
    UserError where a combiner was learned for other rules.
    """
    _expect_combinable(manifest, folder, rules)
    shutil.copytree(folder, out)
    (out / RULES).write_bytes(rules.read_bytes())
    renewed = sealed(manifest, {name: (out / name).read_bytes() for name in manifest.sha256})
    (out / MANIFEST).write_text(renewed.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _expect_combinable(manifest: Manifest, folder: Path, rules: Path) -> None:
    wanted = load_rules(rules)
    own = parsed_rules((folder / RULES).read_bytes(), str(folder / RULES))
    names = [[rule.code for rule in each.active] for each in (own, wanted)]
    if manifest.mode != "unlabelled" and names[0] != names[1]:
        raise UserError(
            f"{manifest.model_version} learned from labels what its rules are worth ({', '.join(names[0])}): "
            f"{rules} must have the same active rules in the same order, only conditions and texts may differ."
        )
