"""PostgreSQL, Redis and RabbitMQ as private instances of this machine's programs, one module each."""

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from local.data_folder import DataFolder, hold
from local.services import postgres, rabbitmq, redis
from local.services.programs import Program, require
from local.services.service import Service
from local.supervisor import Supervisor
from local.terminal import tell


class ServiceModule(Protocol):
    """What each service's module offers."""

    @property
    def PROGRAMS(self) -> tuple[Program, ...]:  # noqa: N802 - a constant of the module
        """What it needs on this machine."""

    def prepare(self, folder: DataFolder) -> Service:
        """Make it ready to be started."""


MODULES: dict[str, ServiceModule] = {"database": postgres, "redis": redis, "rabbitmq": rabbitmq}


def prepare(
    names: Sequence[str], folder: DataFolder, tell: Callable[[str], None], *, afresh: bool = False
) -> dict[str, Service]:
    """The named services, ready to be started; `afresh` without the data they had. Raises UserError."""
    require([program for name in names for program in MODULES[name].PROGRAMS], tell)
    if afresh:
        for name in ("postgres", "redis", "rabbitmq"):
            shutil.rmtree(folder.sub(name))
    return {name: MODULES[name].prepare(folder) for name in names}


@contextmanager
def private_services(
    path: Path, names: Sequence[str] = tuple(MODULES), stopping: threading.Event | None = None
) -> Iterator[dict[str, str]]:
    """Run services with empty data in a folder of their own; name (database, redis, rabbitmq) -> URL.

    Raises UserError, PartFailed, and Stopped where `stopping` is set while they start.
    """
    with hold(path, "FRAUDSENSE_TEST_DATA_DIR") as folder:
        supervisor = Supervisor(folder, stopping or threading.Event(), tell)
        try:
            services = prepare(names, folder, tell, afresh=True)
            supervisor.start(*(part for service in services.values() for part in service.parts))
            supervisor.wait_ready()
            yield {name: service.url for name, service in services.items()}
        finally:
            supervisor.stop()
