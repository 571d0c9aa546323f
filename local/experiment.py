"""Everything below the functions for an experiment: empty services in a folder and on ports of their own."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from local.data_folder import DataFolder
from local.parts import SERVICE_VARIABLES, python_module
from local.ports import kept_port
from local.services import MODULES, prepare
from local.supervisor import Supervisor

DOORS = ("ingest", "score", "alerts")


@dataclass(frozen=True, slots=True)
class Ground:
    """What the functions stand on: URLs of database, redis and rabbitmq, a port for each door, and environment."""

    urls: Mapping[str, str]
    ports: Mapping[str, int]
    environment: Mapping[str, str]


def lay_ground(
    folder: DataFolder,
    supervisor: Supervisor,
    tell: Callable[[str], None],
    adjust: Callable[[], None] = lambda: None,
) -> Ground:
    """Start the services with empty data, the schema and the queue; `adjust` may change their files before.

    Raises UserError, PartFailed, Stopped.
    """
    services = prepare(tuple(MODULES), folder, tell, afresh=True)
    adjust()
    ports = {door: kept_port(folder, door) for door in DOORS}
    urls = {name: service.url for name, service in services.items()}
    environment = _environment(urls, ports, folder)
    supervisor.start(*(part for service in services.values() for part in service.parts))
    supervisor.wait_ready()
    supervisor.run_job("migrate", python_module("shared.database", "migrate"), environment)
    supervisor.run_job("topology", python_module("shared.broker.topology"), environment)
    return Ground(urls, ports, environment)


def _environment(urls: Mapping[str, str], ports: Mapping[str, int], folder: DataFolder) -> dict[str, str]:
    """Ours without the product's settings, which may name other services."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("FRAUDSENSE_")}
    services = {SERVICE_VARIABLES[name]: url for name, url in urls.items()}
    doors = {f"FRAUDSENSE_{door.upper()}_PORT": str(port) for door, port in ports.items()}
    return ours | services | doors | {"FRAUDSENSE_DATA_DIR": str(folder.path), "PYTHONUNBUFFERED": "1"}
