"""What the commands of a model's life share: the registry, the database, and their errors as sentences."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from ml.forest import load_scorer
from ml.manifest import Manifest, read_manifest
from shared.command_line import UserError
from shared.database.deployments import Deployed
from shared.database.long_work import long_work
from shared.domain.deployment import BUCKETS, Stage
from shared.domain.errors import ModelInvalid
from shared.model_registry import RegistryUnavailable, registry_for
from shared.ports import ModelRegistry
from shared.settings import load_settings


@dataclass(frozen=True, slots=True)
class ModelBook:
    """The registered models, and the database that says which of them serve."""

    registry: ModelRegistry
    connection: psycopg.Connection

    def manifest_of(self, model_version: str) -> Manifest:
        """The manifest of a registered model that loads; raises ModelInvalid or RegistryUnavailable."""
        return loadable(self.registry.fetch(model_version))


@contextmanager
def model_book() -> Iterator[ModelBook]:
    """Those of the settings; raises UserError for all that goes wrong with them inside."""
    settings = load_settings()
    with told_to_the_user(), long_work(settings.postgres_url) as connection:
        yield ModelBook(registry_for(settings), connection)


@contextmanager
def told_to_the_user() -> Iterator[None]:
    """Errors of models and of the registry become UserError."""
    try:
        yield
    except (ModelInvalid, RegistryUnavailable) as error:
        raise UserError(str(error)) from error


def loadable(folder: Path) -> Manifest:
    """The manifest of a folder that a scorer takes; raises ModelInvalid."""
    load_scorer(folder)
    return read_manifest(folder)


def said(deployed: Deployed) -> str:
    """In words: what it does."""
    if deployed.stage is Stage.CANARY and deployed.share is not None:
        return f"canary for {deployed.share * 100 / BUCKETS:g} % of the accounts"
    return str(deployed.stage)
