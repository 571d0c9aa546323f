"""The full local stack in a folder and on ports of its own, beside whatever else runs."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.data_folder import DataFolder, hold
from local.experiment import DOORS, lay_ground
from local.parts import alerts, function_group, python_module
from local.supervisor import Supervisor
from shared.settings import Settings

QUEUE = "transactions"


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
    ground = lay_ground(folder, supervisor, tell)
    ports, environment = ground.ports, ground.environment
    settings = Settings(alerts_port=ports["alerts"])
    supervisor.start(alerts(settings, environment))
    supervisor.start(function_group("score", ports["score"], {**environment, "FRAUDSENSE_FAULT": fault_setting}))
    supervisor.start(function_group("ingest", ports["ingest"], environment))
    supervisor.wait_ready()
    doors = {door: f"http://127.0.0.1:{ports[door]}" for door in DOORS}
    return Stack(supervisor, {**ground.urls, **doors}, environment)
