"""One supervised session of the local build: hold the data folder, start services, work, stop everything."""

import sys
from collections.abc import Callable

from local.chosen import given_urls
from local.data_folder import DataFolder, hold
from local.ports import require_free
from local.services import MODULES, prepare
from local.stopping import stopping_on_signals
from local.supervisor import PartFailed, Stopped, Supervisor
from local.terminal import tell
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
    given = given_urls(settings)
    _require_rabbitmq(settings)
    needed = [name for name in MODULES if name not in given]
    _require_free_doors(settings)
    services = prepare(needed, folder, tell)
    tell(f"Starting in {folder.path}: {', '.join(needed) or 'no services, all are given'}")
    supervisor.start(*(part for service in services.values() for part in service.parts))
    return given | {name: service.url for name, service in services.items()}


def _require_rabbitmq(settings: Settings) -> None:
    if settings.broker == "memory":
        raise UserError("FRAUDSENSE_BROKER=memory lives inside one process: set it to rabbitmq for this command.")
    if settings.broker == "servicebus":
        raise UserError("Nothing publishes to Service Bus yet: set FRAUDSENSE_BROKER=rabbitmq for this command.")


def _require_free_doors(settings: Settings) -> None:
    for door in ("ingest", "score", "alerts"):
        require_free(getattr(settings, f"{door}_port"), f"FRAUDSENSE_{door.upper()}_PORT")
