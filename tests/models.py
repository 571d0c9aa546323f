"""Model folders for tests: the shipped model, and variants of it that are versions of their own."""

import json
from pathlib import Path
from shutil import copytree

from ml.manifest import MANIFEST, RULES, read_manifest
from ml.model_folder import sealed
from shared.settings import SHIPPED_MODEL


def a_model(folder: Path, *, seed: int) -> str:
    """The shipped model at `folder` under another version, which it returns."""
    copytree(SHIPPED_MODEL, folder)
    manifest = read_manifest(folder)
    changed = manifest.model_copy(update={"parameters": manifest.parameters.model_copy(update={"seed": seed})})
    renewed = sealed(changed, {name: (folder / name).read_bytes() for name in manifest.sha256})
    (folder / MANIFEST).write_text(renewed.model_dump_json())
    return renewed.model_version


def spoil(folder: Path) -> None:
    """Alter a file of a model so that no scorer takes it."""
    (folder / RULES).write_text(json.dumps("altered"))
