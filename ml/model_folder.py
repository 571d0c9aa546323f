"""Writes a model folder: the files that are served, and model.joblib to audit and to export again."""

import os
from collections.abc import Mapping
from pathlib import Path

import joblib

from ml.manifest import COMBINER, MANIFEST, Manifest, checksum
from shared.command_line import UserError

JOBLIB = "model.joblib"


def sealed(draft: Manifest, files: Mapping[str, bytes]) -> Manifest:
    """The manifest with these files' checksums, and the version `<kind>-<last training day>-<digest>`."""
    sums = {name: checksum(content) for name, content in sorted(files.items())}
    kind = "forest" if draft.mode == "unlabelled" else draft.mode
    name = f"{kind}-{draft.training_window.last:%Y%m%d}"
    return draft.model_copy(update={"sha256": sums}).named(name)


def write_model(folder: Path, manifest: Manifest, files: Mapping[str, bytes], trained: object) -> None:
    """Write all files, the manifest last: until then a scorer refuses the folder. Raises UserError.

    `trained` is what scikit-learn trained; nothing but `python -m ml export` ever reads it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            _replace(folder / name, content)
        if COMBINER not in files:
            (folder / COMBINER).unlink(missing_ok=True)
        joblib.dump(trained, folder / JOBLIB, compress=3)
        _replace(folder / MANIFEST, manifest.model_dump_json(indent=2).encode() + b"\n")
    except OSError as error:
        raise UserError(
            f"The model cannot be written to {folder}: {error.strerror}. Give another --out."
        ) from error


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f"{path.name}.new")
    draft.write_bytes(content)
    os.replace(draft, path)
