"""A registry of models gives back what was put there: a folder, and Azure Blob Storage as Azurite has it."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from azure.storage.blob import ContainerClient, ContainerSasPermissions, generate_container_sas

from ml.forest import load_scorer
from shared.model_registry import FolderRegistry, RegistryUnavailable, registry_for
from shared.ports import ModelRegistry
from shared.settings import SHIPPED_MODEL, Settings
from tests.models import a_model, spoil
from tests.ports import free_port
from tests.waiting import eventually

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's well-known account."""


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an account in Azurite, installed from npm for this session."""
    folder, port = tmp_path_factory.mktemp("azurite"), free_port()
    program = installed(shutil.which("npm"), folder)
    options = [
        "--blobPort",
        str(port),
        "--location",
        str(folder / "data"),
        "--silent",
        "--skipApiVersionCheck",
        "--disableTelemetry",
    ]
    with subprocess.Popen([program, *options], stdout=subprocess.DEVNULL) as running:
        eventually(lambda: _listens(port), within=20)
        yield f"http://127.0.0.1:{port}/{ACCOUNT}"
        running.terminate()


def installed(npm: str | None, folder: Path) -> Path:
    """Azurite's program; without npm or its registry the test is skipped, but fails in CI where npm is there."""
    if npm is None:
        pytest.skip("Azurite needs npm, which is not on this machine")
    install = [npm, "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder), "azurite@3"]
    try:
        subprocess.run(install, check=True, capture_output=True, timeout=80)
    except subprocess.SubprocessError:
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing("npm cannot install Azurite here: see whether it reaches its registry")
    return folder / "node_modules" / ".bin" / "azurite-blob"


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def signed(account: str, container: str) -> str:
    """The container's URL with a shared access signature."""
    allowed = ContainerSasPermissions(read=True, write=True, list=True, create=True)
    end = datetime.now(UTC) + timedelta(hours=1)
    signature = generate_container_sas(ACCOUNT, container, account_key=KEY, permission=allowed, expiry=end)
    return f"{account}/{container}?{signature}"


Open = Callable[[], ModelRegistry]


@pytest.fixture(params=["folder", "blobs"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the same registry, empty at first, as another process would."""
    if request.param == "folder":
        return lambda: registry_for(Settings(model_registry=str(tmp_path / "registry")))
    account = request.getfixturevalue("azurite")
    name = f"models-{uuid4().hex}"
    ContainerClient.from_container_url(f"{account}/{name}", credential=KEY).create_container()
    return lambda: registry_for(Settings(model_registry=signed(account, name)))


@pytest.mark.parametrize(
    ("npm", "ci", "ends"),
    [("false", "true", pytest.fail), ("false", "", pytest.skip), (None, "true", pytest.skip)],
)
def test_what_cannot_be_installed_fails_in_ci_where_npm_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, npm: str | None, ci: str, ends: Any
) -> None:
    monkeypatch.setenv("CI", ci)

    with pytest.raises((pytest.fail.Exception, pytest.skip.Exception), match="Azurite") as ended:
        installed(npm, tmp_path)

    assert ended.type is ends.Exception


def test_what_one_process_puts_another_fetches_and_serves(reopen: Open, tmp_path: Path) -> None:
    version = a_model(tmp_path / "model", seed=1)
    reopen().put(tmp_path / "model", version)

    other = reopen()
    folder = other.fetch(version)

    assert other.versions() == [version]
    assert load_scorer(folder).model_version == version
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
        p.name: p.read_bytes() for p in (tmp_path / "model").iterdir()
    }


def test_putting_it_again_mends_what_is_damaged(reopen: Open, tmp_path: Path) -> None:
    version = a_model(tmp_path / "model", seed=1)
    shutil.copytree(tmp_path / "model", tmp_path / "damaged")
    spoil(tmp_path / "damaged")
    registry = reopen()
    registry.put(tmp_path / "damaged", version)

    registry.put(tmp_path / "model", version)

    assert load_scorer(registry.fetch(version)).model_version == version


def test_what_is_not_there_is_told(reopen: Open) -> None:
    assert reopen().versions() == []
    with pytest.raises(RegistryUnavailable, match=r"holds no model forest-0: register it"):
        reopen().fetch("forest-0")


def test_a_container_that_is_missing_or_away_is_told_without_the_signature(azurite: str) -> None:
    for account, problem in ((azurite, "There is no container none"), ("http://127.0.0.1:1/x", "container none")):
        url = signed(account, "none")
        with pytest.raises(RegistryUnavailable, match=problem) as raised:
            registry_for(Settings(model_registry=url)).versions()
        assert "sig=" not in str(raised.value)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RegistryUnavailable, match="cannot be written"):
        FolderRegistry(tmp_path / "file").put(SHIPPED_MODEL, "forest-0")
