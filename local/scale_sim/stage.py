"""What a simulation on real processes stands on: services with a management API, ingest, and scorers on demand."""

import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg

from local.data_folder import DataFolder, hold
from local.experiment import Ground, lay_ground
from local.parts import function_group
from local.scale_sim.queue_api import QueueApi
from local.scale_sim.scorers import Scorers
from local.services import rabbitmq
from local.supervisor import Supervisor

QUEUE = "transactions"
MANAGEMENT_SECONDS = 5.0
"""RabbitMQ counts its queues anew so often, unless told otherwise."""
REQUEST_SECONDS = 30.0

_RECORDED = """
SELECT transaction_id, extract(epoch FROM received_at)::float8, extract(epoch FROM scores.created_at)::float8
FROM scores JOIN transactions USING (transaction_id)
"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision's transaction, when ingest received it and when it was recorded, in seconds of the Unix epoch."""

    transaction_id: str
    received_at: float
    recorded_at: float


@dataclass(frozen=True, slots=True)
class Stage:
    """The running services and ingest; scorers come and go."""

    folder: DataFolder
    supervisor: Supervisor
    ground: Ground
    management_url: str

    @property
    def ingest_url(self) -> str:
        """Where ingest answers."""
        return f"http://127.0.0.1:{self.ground.ports['ingest']}"

    @asynccontextmanager
    async def tools(self) -> AsyncIterator[tuple[QueueApi, Scorers, httpx.AsyncClient]]:
        """The queue's length, the scorers and a client of ingest, for one event loop."""
        async with (
            httpx.AsyncClient(timeout=REQUEST_SECONDS) as client,
            httpx.AsyncClient(base_url=self.ingest_url, timeout=REQUEST_SECONDS) as ingest,
        ):
            scorers = Scorers(self.folder, self.supervisor, self.ground.environment, client)
            yield QueueApi(client, self.management_url, QUEUE), scorers, ingest

    def recorded(self) -> list[Recorded]:
        """Every recorded decision."""
        with psycopg.connect(self.ground.urls["database"]) as connection:
            return [Recorded(*row) for row in connection.execute(_RECORDED)]

    def count(self) -> int:
        """How many decisions are recorded."""
        with psycopg.connect(self.ground.urls["database"]) as connection:
            return int(connection.execute("SELECT count(*) FROM scores").fetchall()[0][0])


@contextmanager
def running_stage(
    path: Path, speed: float, stopping: threading.Event, tell: Callable[[str], None]
) -> Iterator[Stage]:
    """Everything but score ready, with empty data; stopped at the end. Raises UserError, PartFailed, Stopped."""
    with hold(path, "--folder") as folder:
        supervisor = Supervisor(folder, stopping, tell)
        try:
            tell(f"Starting services and ingest in {folder.path}")
            yield _start(folder, supervisor, speed, tell)
        finally:
            tell("Stopping")
            supervisor.stop()


def _start(folder: DataFolder, supervisor: Supervisor, speed: float, tell: Callable[[str], None]) -> Stage:
    management: list[str] = []
    ground = lay_ground(
        folder,
        supervisor,
        tell,
        lambda: management.append(rabbitmq.with_management(folder, MANAGEMENT_SECONDS / speed)),
    )
    supervisor.start(function_group("ingest", ground.ports["ingest"], _unlimited(ground.environment)))
    supervisor.wait_ready()
    return Stage(folder, supervisor, ground, management[0])


def _unlimited(environment: Mapping[str, str]) -> Mapping[str, str]:
    """A burst comes from few accounts here; its limit is not what is looked at."""
    return {**environment, "FRAUDSENSE_RATE_LIMIT_PER_MINUTE": "0"}
