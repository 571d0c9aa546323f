"""Where registered models are kept: one folder a version, in a folder or in Azure Blob Storage."""

import os
import shutil
from pathlib import Path

from shared.domain.errors import FraudSenseError
from shared.ports import ModelRegistry
from shared.settings import Settings

MANIFEST = "manifest.json"


class RegistryUnavailable(FraudSenseError):
    """The registry of models cannot be read or written; mend what the message names and try again."""


class FolderRegistry:
    """Implements ports.ModelRegistry in a local or mounted folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, folder: Path, model_version: str) -> None:
        """See the port."""
        target = self._root / model_version
        try:
            target.mkdir(parents=True, exist_ok=True)
            for path in sorted(folder.iterdir(), key=lambda each: each.name == MANIFEST):
                if path.is_file():
                    draft = target / f"{path.name}.new"
                    shutil.copyfile(path, draft)
                    os.replace(draft, target / path.name)
        except OSError as error:
            raise RegistryUnavailable(f"{target} cannot be written ({error.strerror}).") from error

    def fetch(self, model_version: str) -> Path:
        """See the port; it is in place already."""
        folder = self._root / model_version
        if not (folder / MANIFEST).is_file():
            raise RegistryUnavailable(
                f"{self._root} holds no model {model_version}: register it with python -m ml register FOLDER, "
                "or set FRAUDSENSE_MODEL_REGISTRY to the registry that has it."
            )
        return folder

    def versions(self) -> list[str]:
        """See the port."""
        if not self._root.exists():
            return []
        try:
            return sorted(path.parent.name for path in self._root.glob(f"*/{MANIFEST}"))
        except OSError as error:
            raise RegistryUnavailable(f"{self._root} cannot be read ({error.strerror}).") from error


def registry_for(settings: Settings) -> ModelRegistry:
    """The registry that the settings name, else the folder `models` in the data folder."""
    if settings.model_registry.startswith(("https://", "http://")):
        from shared.blob_registry import BlobRegistry  # noqa: PLC0415 - twice as slow to import as all of score

        return BlobRegistry(settings.model_registry)
    return FolderRegistry(Path(settings.model_registry or settings.data_dir / "models"))
