"""Writes a model folder: forest.npz and manifest.json to serve, model.joblib to train on and to audit."""

import os
from pathlib import Path

import joblib
from sklearn.ensemble import IsolationForest as SklearnForest

from ml.manifest import FOREST, MANIFEST, Manifest
from shared.command_line import UserError

JOBLIB = "model.joblib"


def write_model(folder: Path, manifest: Manifest, forest: bytes, model: SklearnForest) -> None:
    """Write all files, the manifest last: until then a scorer refuses the folder. Raises UserError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / FOREST, forest)
        joblib.dump(model, folder / JOBLIB, compress=3)
        _replace(folder / MANIFEST, manifest.model_dump_json(indent=2).encode() + b"\n")
    except OSError as error:
        raise UserError(
            f"The model cannot be written to {folder}: {error.strerror}. Give another --out."
        ) from error


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f"{path.name}.new")
    draft.write_bytes(content)
    os.replace(draft, path)
