"""Real services for the tests: URLs from the environment, else private ones of this run."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import psycopg
import pytest

from local.services import private_services
from local.test import URL_VARIABLES, test_folder

# Where a change is judged the same examples come every time; elsewhere new ones are tried.
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")

# Read once, when scikit-learn is first imported: threads that spin while they wait slow down busy machines.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Services:
    """URLs of a PostgreSQL server (any database of it), a Redis and a RabbitMQ."""

    database: str
    redis: str
    rabbitmq: str


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    """Those of FRAUDSENSE_TEST_{DATABASE,REDIS,RABBITMQ}_URL; the rest are started for this session."""
    given = {name: os.environ[variable] for name, variable in URL_VARIABLES.items() if variable in os.environ}
    missing = [name for name in URL_VARIABLES if name not in given]
    if not missing:
        yield Services(**given)
        return
    with private_services(test_folder(), missing) as started:
        yield Services(**given, **started)


@pytest.fixture(scope="session")
def database_url(services: Services) -> Iterator[str]:
    """A fresh, migrated database of this test session."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    base = services.database.rsplit("/", 1)[0]
    with psycopg.connect(services.database, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
    url = f"{base}/{name}"
    subprocess.run(
        [sys.executable, "-m", "shared.database", "migrate"],
        check=True,
        cwd=ROOT,
        env=os.environ | {"FRAUDSENSE_DATABASE_URL": url},
    )
    yield url
    with psycopg.connect(services.database, autocommit=True) as server:
        server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def redis_url(services: Services) -> Iterator[str]:
    """The Redis of this test session, emptied before and after."""
    import redis  # noqa: PLC0415 - unit tests start without it

    with redis.Redis.from_url(services.redis) as client:
        client.flushdb()
        yield services.redis
        client.flushdb()


@pytest.fixture
def queue_name() -> str:
    """A queue of this test's own."""
    return f"test-{uuid.uuid4().hex[:12]}"
