"""The full local stack in a folder and on ports of its own, beside whatever else runs."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.data_folder import DataFolder, hold
from local.parts import SERVICE_VARIABLES, alerts, function_group, python_module
from local.ports import kept_port
from local.services import MODULES, prepare
from local.supervisor import Supervisor
from shared.settings import Settings

QUEUE = "transactions"
DOORS = ("ingest", "score", "alerts")


@dataclass(frozen=True, slots=True)
class Stack:
    """What runs: its supervisor, URLs of database, redis, rabbitmq, ingest and alerts, and its environment."""

    supervisor: Supervisor
    urls: Mapping[str, str]
    environment: Mapping[str, str]

    def rebuild(self, accounts: Sequence[str]) -> None:
        """Rebuild these accounts' histories from the records, as after a failover; raises PartFailed, Stopped."""
        chosen = (word for account in accounts for word in ("--account", account))
        command = python_module("local", "rebuild-history", "--all", "--json", *chosen)
        self.supervisor.run_job("rebuild-history", command, self.environment)


@contextmanager
def running_stack(
    path: Path, fault_setting: str, stopping: threading.Event, tell: Callable[[str], None]
) -> Iterator[Stack]:
    """Everything ready, with empty data; stopped at the end. Raises UserError, PartFailed, Stopped."""
    with hold(path, "--folder") as folder:
        supervisor = Supervisor(folder, stopping, tell)
        try:
            tell(f"Starting everything in {folder.path}")
            yield _start(folder, supervisor, fault_setting, tell)
        finally:
            tell("Stopping")
            supervisor.stop()


def _start(folder: DataFolder, supervisor: Supervisor, fault_setting: str, tell: Callable[[str], None]) -> Stack:
    services = prepare(tuple(MODULES), folder, tell, afresh=True)
    ports = {door: kept_port(folder, door) for door in DOORS}
    urls = {name: service.url for name, service in services.items()}
    environment = _environment(urls, ports, folder)
    supervisor.start(*(part for service in services.values() for part in service.parts))
    supervisor.wait_ready()
    supervisor.run_job("migrate", python_module("shared.database.migrate"), environment)
    supervisor.run_job("topology", python_module("shared.broker.topology"), environment)
    settings = Settings(alerts_port=ports["alerts"])
    supervisor.start(alerts(settings, environment))
    supervisor.start(function_group("score", ports["score"], environment | {"FRAUDSENSE_FAULT": fault_setting}))
    supervisor.start(function_group("ingest", ports["ingest"], environment))
    supervisor.wait_ready()
    doors = {door: f"http://127.0.0.1:{ports[door]}" for door in DOORS}
    return Stack(supervisor, urls | doors, environment)


def _environment(urls: Mapping[str, str], ports: Mapping[str, int], folder: DataFolder) -> dict[str, str]:
    """Ours without the product's settings, which may name other services."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("FRAUDSENSE_")}
    services = {SERVICE_VARIABLES[name]: url for name, url in urls.items()}
    doors = {f"FRAUDSENSE_{door.upper()}_PORT": str(port) for door, port in ports.items()}
    return ours | services | doors | {"FRAUDSENSE_DATA_DIR": str(folder.path), "PYTHONUNBUFFERED": "1"}
