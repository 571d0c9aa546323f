"""One supervised session of the local build: hold the data folder, start services, work, stop everything."""

import sys
from collections.abc import Callable, Mapping

from local.chosen import given_urls
from local.data_folder import DataFolder, hold
from local.parts import python_module
from local.ports import require_free
from local.services import MODULES, prepare
from local.stopping import stopping_on_signals
from local.supervisor import PartFailed, Stopped, Supervisor
from local.terminal import tell
from shared.broker.selection import expect_publisher
from shared.command_line import UserError
from shared.settings import Settings


def supervise(settings: Settings, work: Callable[[DataFolder, Supervisor], None]) -> int:
    """Do the work until it ends or a signal comes, then stop all it started; 0, or 1 where a part failed."""
    with hold(settings.data_dir) as folder, stopping_on_signals() as stopping:
        supervisor = Supervisor(folder, stopping, tell)
        folder.forget_state()
        try:
            work(folder, supervisor)
        except Stopped:
            return 0
        except PartFailed as error:
            print(f"fraudsense: {error}", file=sys.stderr)
            return 1
        finally:
            tell("Stopping")
            folder.forget_state()
            supervisor.stop()
    return 0


def start_services(settings: Settings, folder: DataFolder, supervisor: Supervisor) -> dict[str, str]:
    """Start the services that the user did not give; name -> URL of each. Raises UserError."""
    _require_queue(settings)
    used = [name for name in MODULES if name != "rabbitmq" or settings.broker == "rabbitmq"]
    given = {name: url for name, url in given_urls(settings).items() if name in used}
    needed = [name for name in used if name not in given]
    _require_free_doors(settings)
    services = prepare(needed, folder, tell)
    tell(f"Starting in {folder.path}: {', '.join(needed) or 'no services, all are given'}")
    supervisor.start(*(part for service in services.values() for part in service.parts))
    return given | {name: service.url for name, service in services.items()}


def declare_queue(settings: Settings, environment: Mapping[str, str], supervisor: Supervisor) -> None:
    """Make the queue, where it is RabbitMQ's; a Service Bus namespace comes with its own."""
    if settings.broker == "rabbitmq":
        supervisor.wait_ready("rabbitmq")
        supervisor.run_job("topology", python_module("shared.broker.topology"), environment)


def _require_queue(settings: Settings) -> None:
    if settings.broker == "memory":
        raise UserError("FRAUDSENSE_BROKER=memory lives inside one process: set it to rabbitmq for this command.")
    expect_publisher(settings)


def _require_free_doors(settings: Settings) -> None:
    for door in ("ingest", "score", "alerts"):
        require_free(getattr(settings, f"{door}_port"), f"FRAUDSENSE_{door.upper()}_PORT")
