"""`python -m ml export`: make the served files of a model folder anew from what scikit-learn trained."""

import argparse
import json
import zlib
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import joblib

from ml.export import as_npz, combiner_as_npz, exported
from ml.forest import load_scorer
from ml.manifest import COMBINER, FOREST, RULES, SIGNALS, Manifest, read_manifest
from ml.model_folder import JOBLIB, sealed, write_model
from ml.reference import REFERENCE
from shared.command_line import UserError
from shared.domain.errors import ModelInvalid

_UNREADABLE = (
    OSError, EOFError, UnpicklingError, zlib.error, ImportError, AttributeError, ValueError, TypeError,
    LookupError,
)  # fmt: skip
"""What unpickling raises, according to what is wrong with the bytes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `export`."""
    parser.add_argument(
        "--model",
        type=Path,
        required=True,
        metavar="FOLDER",
        help=f"with {JOBLIB}, which is unpickled: only a folder that you trust",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the servable folder to write")
    parser.add_argument(
        "--without-merchants",
        action="store_true",
        help="leave the merchants of the training data out of its signals, as for a model that is given away",
    )
    parser.add_argument("--json", action="store_true", help="end with one JSON line instead of a sentence")


def run(args: argparse.Namespace) -> int:
    """Export, load the result as the scorer would, and say whether it is the model that the manifest named."""
    given = _manifest(args.model)
    trained = _unpickled(args.model / JOBLIB)
    files = _files(given, trained, args.model)
    if args.without_merchants:
        files[SIGNALS] = without_merchants(files[SIGNALS])
    manifest = sealed(given, files)
    write_model(args.out, manifest, files, trained)
    load_scorer(args.out)
    same = manifest.model_version == given.model_version
    if args.json:
        print(json.dumps({"folder": str(args.out), "model_version": manifest.model_version, "same": same}))
    else:
        was = "as before" if same else f"was {given.model_version}: the bytes differ"
        print(f"{manifest.model_version} in {args.out} ({was}).")
    return 0


def without_merchants(signals: bytes) -> bytes:
    """The content of `signals.json` with the prices and fraud shares of categories alone."""
    document = json.loads(signals) | {"merchant_prices": {}, "merchant_risk": {}}
    return json.dumps(document, separators=(",", ":")).encode()


def _manifest(folder: Path) -> Manifest:
    try:
        return read_manifest(folder)
    except ModelInvalid as error:
        raise UserError(str(error)) from error


def _files(manifest: Manifest, trained: dict[str, Any], folder: Path) -> dict[str, bytes]:
    columns = [manifest.features.index(name) for name in manifest.forest_features]
    forest = exported(trained["forest"], manifest.fill_values, columns)
    files = {
        FOREST: as_npz(forest),
        **{name: (folder / name).read_bytes() for name in (RULES, SIGNALS, REFERENCE) if name in manifest.sha256},
    }
    return files if manifest.mode == "unlabelled" else files | {COMBINER: combiner_as_npz(trained["combiner"])}


def _unpickled(path: Path) -> dict[str, Any]:
    try:
        trained: dict[str, Any] = joblib.load(path)
    except _UNREADABLE as error:
        raise UserError(f"{path} cannot be read ({error}). Train the model anew: python -m ml train.") from error
    if not isinstance(trained, dict) or not trained.keys() >= {"forest", "combiner"}:
        raise UserError(f"{path} is of another version of FraudSense. Train the model anew: python -m ml train.")
    return trained
