"""The image that `make image-test` built, a migrated database of its own, and its three doors running together."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import httpx
import pytest

from local.image.build import IMAGE
from local.image.command import FOLDER
from local.image.podman import Podman
from tests.conftest import Services
from tests.image.containers import STAND_IN_FOR_THE_HOST, Image
from tests.ports import free_port
from tests.waiting import eventually

HOST = ("python", "-m", "local.functions_host", "--group")
COMMANDS = {
    "ingest": (*HOST, "ingest"),
    "score": (*HOST, "score"),
    "alerts": ("python", "-m", "functions.alerts"),
}


@dataclass(frozen=True)
class Doors:
    """Running containers, and where each answers."""

    containers: dict[str, str]
    urls: dict[str, str]


@pytest.fixture(scope="session")
def image() -> Image:
    """What `make image-test` built."""
    return Image(Podman(FOLDER), IMAGE)


@pytest.fixture(scope="session")
def environment(services: Services, database_url: str) -> dict[str, str]:
    """The settings of every container: a database and a queue of this session."""
    return {
        "FRAUDSENSE_DATABASE_URL": database_url,
        "FRAUDSENSE_REDIS_URL": services.redis,
        "FRAUDSENSE_RABBITMQ_URL": services.rabbitmq,
        "FRAUDSENSE_QUEUE_NAME": f"image-{database_url.rpartition('_')[2]}",
    }


@pytest.fixture
def doors(image: Image, environment: dict[str, str]) -> Iterator[Doors]:
    """Ingest, score and alerts from one image, ready."""
    declared = image.run("python", "-m", "shared.broker.topology", environment=environment)
    assert declared.returncode == 0, declared.stderr
    ports = {door: free_port() for door in COMMANDS}
    settings = environment | {f"FRAUDSENSE_{door.upper()}_PORT": str(port) for door, port in ports.items()}
    with ExitStack() as stack:
        running = {
            door: stack.enter_context(image.running(*command, environment=settings, options=STAND_IN_FOR_THE_HOST))
            for door, command in COMMANDS.items()
        }
        urls = {door: f"http://127.0.0.1:{port}" for door, port in ports.items()}
        for url in urls.values():
            eventually(partial(_is_ready, url))
        yield Doors(running, urls)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the tests measured, in lines after their dots."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")
