"""Registered models in a container of Azure Blob Storage: blobs named <version>/<file>."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.storage.blob import ContainerClient

from shared.model_registry import MANIFEST, RegistryUnavailable


class BlobRegistry:
    """Implements ports.ModelRegistry; what is fetched lies in a folder that goes with this object."""

    def __init__(self, url: str) -> None:
        """`url` is the container's: with a shared access signature in it, or without for an identity."""
        credential = None if urlsplit(url).query else DefaultAzureCredential()
        self._container = ContainerClient.from_container_url(
            url, credential=credential, connection_timeout=3, read_timeout=10, retry_total=1
        )
        self._fetched = TemporaryDirectory(prefix="fraudsense-models-")

    def put(self, folder: Path, model_version: str) -> None:
        """See the port."""
        with self._answering():
            for path in sorted(folder.iterdir(), key=lambda each: each.name == MANIFEST):
                if path.is_file():
                    blob = f"{model_version}/{path.name}"
                    self._container.upload_blob(blob, path.read_bytes(), overwrite=True)

    def fetch(self, model_version: str) -> Path:
        """See the port; downloaded anew each time, so that nothing damaged stays."""
        folder = Path(self._fetched.name) / model_version
        with self._answering():
            blobs = [*self._container.list_blob_names(name_starts_with=f"{model_version}/")]
            if f"{model_version}/{MANIFEST}" not in blobs:
                raise RegistryUnavailable(
                    f"The container {self._container.container_name} holds no model {model_version}: register it "
                    "with python -m ml register FOLDER."
                )
            folder.mkdir(exist_ok=True)
            for blob in blobs:
                content = self._container.download_blob(blob).readall()
                (folder / Path(blob).name).write_bytes(content)
        return folder

    def versions(self) -> list[str]:
        """See the port."""
        with self._answering():
            names = [*self._container.list_blob_names()]
        return sorted(name.split("/")[0] for name in names if name.endswith(f"/{MANIFEST}"))

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Errors in our words; the address may hold a signature and stays out of them."""
        name = self._container.container_name
        try:
            yield
        except ResourceNotFoundError as error:
            raise RegistryUnavailable(
                f"There is no container {name}: create it, or mend FRAUDSENSE_MODEL_REGISTRY."
            ) from error
        except (AzureError, OSError) as error:
            problem = str(error).partition("\n")[0]
            raise RegistryUnavailable(f"Azure Blob Storage, container {name}: {problem}") from error
