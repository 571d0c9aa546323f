"""The product's own processes in the local build: ingest, score, alerts, daily signals and the sample traffic."""

import http.client
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

from local.supervisor import Part
from shared.settings import Settings

SERVICE_VARIABLES = {
    "database": "FRAUDSENSE_DATABASE_URL",
    "redis": "FRAUDSENSE_REDIS_URL",
    "rabbitmq": "FRAUDSENSE_RABBITMQ_URL",
}


def environment_of_parts(urls: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """Our environment with the services' URLs in it."""
    own = {SERVICE_VARIABLES[name]: url for name, url in urls.items()}
    folder = {"FRAUDSENSE_DATA_DIR": str(settings.data_dir.absolute())}
    return dict(os.environ) | own | folder | {"PYTHONUNBUFFERED": "1"}


def python_module(module: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs a module with this Python."""
    return (sys.executable, "-m", module, *arguments)


def alerts(settings: Settings, environment: Mapping[str, str]) -> Part:
    """Alerts and the dashboard; open WebSockets hold it for a moment only."""
    return Part(
        name="alerts",
        command=python_module("functions.alerts"),
        ready=partial(is_healthy, settings.alerts_port),
        environment={**environment, "FRAUDSENSE_ALERTS_PORT": str(settings.alerts_port)},
    )


def function_group(group: str, port: int, environment: Mapping[str, str]) -> Part:
    """A group of functions under the stand-in for the Functions host; ends with the work in hand done."""
    return Part(
        name=group,
        command=python_module("local.functions_host", "--group", group, "--port", str(port)),
        ready=partial(is_healthy, port),
        environment={**environment, "FRAUDSENSE_FUNCTIONS": group},
        stop_seconds=30,
    )


def sample_traffic(environment: Mapping[str, str]) -> Part:
    """Seeded sample traffic, posted to ingest until stopped."""
    command = python_module("local", "sample-traffic")
    return Part("sample-traffic", command, ready=lambda: True, environment=environment, stop_seconds=5)


def snapshot(environment: Mapping[str, str]) -> Part:
    """The signals of the UTC day, from the database, for score; again and again, as a replay brings the past."""
    command = python_module("ml", "snapshot", "--every", "5")
    return Part("snapshot", command, ready=lambda: True, environment=environment, stop_seconds=5)


def is_healthy(port: int) -> bool:
    """Whether the part on this port answers its health question with 200, within two seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    return False
