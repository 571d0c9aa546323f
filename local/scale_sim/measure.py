"""How fast one scorer drains a queue, by the size of its envelopes, and how soon after its start it is ready."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from statistics import median
from time import monotonic, time
from typing import Any
from uuid import uuid4

from local.enqueue import pack
from local.sample_story import cast_of, ordinary
from local.scale_sim.scorers import Scorers
from local.scale_sim.stage import QUEUE, Stage
from local.supervisor import Stopped
from shared.broker.rabbitmq import RabbitMQPublisher
from shared.domain.errors import FraudSenseError

RUNS = 3
WAIT_SECONDS = 0.25
LONGEST_SECONDS = 120.0
LOADS = {100: 20_000, 1: 1_000}
"""Transactions in an envelope -> transactions of a run."""


class NotDrained(FraudSenseError):
    """The scorer did not drain its queue in time."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians of RUNS runs by the size of envelopes; `start_seconds` from a scorer's start until it is ready.

    `rates` are transactions a second, `cores` the share of a core that the scorer itself then took.
    """

    rates: Mapping[int, float]
    cores: Mapping[int, float]
    start_seconds: float


@dataclass(frozen=True, slots=True)
class Run:
    """One run: transactions a second, the share of a core that the scorer took, seconds until it was ready."""

    rate: float
    cores: float
    start_seconds: float


async def measure(stage: Stage, seed: int, tell: Callable[[str], None]) -> Measured:
    """Fill the queue, start one scorer, and time what it records; raises NotDrained, Stopped, PartFailed."""
    runs, payments = defaultdict[int, list[Run]](list), _payments(seed)
    async with stage.tools() as (_, scorers, _ingest):
        for size, transactions in [*LOADS.items()] * RUNS:
            await _fill(stage, islice(payments, transactions), size)
            run = await _drain(stage, scorers, transactions)
            runs[size].append(run)
            tell(f"Envelopes of {size}: {run.rate:.0f} transactions a second, {run.cores:.0%} of a core")
    return Measured(
        rates={size: median(run.rate for run in each) for size, each in runs.items()},
        cores={size: median(run.cores for run in each) for size, each in runs.items()},
        start_seconds=median(run.start_seconds for each in runs.values() for run in each),
    )


async def _fill(stage: Stage, payments: Iterator[dict[str, Any]], size: int) -> None:
    publisher = RabbitMQPublisher(stage.ground.urls["rabbitmq"], QUEUE)
    try:
        for envelope in pack(payments, size):
            await publisher.publish(envelope.body, message_id=str(uuid4()))
    finally:
        await publisher.close()


async def _drain(stage: Stage, scorers: Scorers, transactions: int) -> Run:
    """One scorer from its start to its end; its rate is that between the first record and the last."""
    known, since, begin = await asyncio.to_thread(stage.count), time(), monotonic()
    scorers.want(1)
    await _until(scorers.ready, stage)
    ready, before = monotonic(), scorers.cpu_seconds()
    await _until(partial(_has_recorded, stage, known + transactions), stage)
    cores = (scorers.cpu_seconds() - before) / (monotonic() - ready)
    scorers.want(0)
    await _until(scorers.are_gone, stage)
    recorded = [each.recorded_at for each in await asyncio.to_thread(stage.recorded)]
    times = sorted(at for at in recorded if at >= since)
    later = sum(at > times[0] for at in times)
    return Run(later / (times[-1] - times[0]), cores, ready - begin)


async def _has_recorded(stage: Stage, transactions: int) -> bool:
    return await asyncio.to_thread(stage.count) >= transactions


async def _until(holds: Callable[[], Awaitable[object]], stage: Stage) -> None:
    deadline = monotonic() + LONGEST_SECONDS
    while not await holds():
        if stage.supervisor.stopping.is_set():
            raise Stopped
        if monotonic() > deadline:
            logs = stage.folder.path / "logs"
            raise NotDrained(
                f"A scorer did not drain its queue in {LONGEST_SECONDS:g} s: read the logs in {logs}."
            )
        stage.supervisor.tend()
        await asyncio.sleep(WAIT_SECONDS)


def _payments(seed: int) -> Iterator[dict[str, Any]]:
    run = uuid4().hex[:8]
    for number, payment in enumerate(ordinary(cast_of(seed), rate=1.0)):
        yield payment.posted(f"measured-{run}-{number}", datetime.now(UTC))
