"""How fast one scorer drains a queue, by the size of its envelopes, and how soon after its start it is ready."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from statistics import median
from time import monotonic
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
WAIT_SECONDS = 0.5
LONGEST_SECONDS = 120.0
LOADS = {100: 20_000, 1: 1_000}
"""Transactions in an envelope -> transactions of a run."""


class NotDrained(FraudSenseError):
    """The scorer did not drain its queue in time."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians of RUNS runs: transactions a second by the size of envelopes, and seconds from start to ready."""

    rates: dict[int, float]
    start_seconds: float
    runs: Sequence[tuple[int, float]]


async def measure(stage: Stage, seed: int, tell: Callable[[str], None]) -> Measured:
    """Fill the queue, start one scorer, and time what it records; raises NotDrained, Stopped, PartFailed."""
    runs, starts, payments = list[tuple[int, float]](), list[float](), _payments(seed)
    async with stage.tools() as (_, scorers, _ingest):
        for size, transactions in LOADS.items():
            for _ in range(RUNS):
                await _fill(stage, islice(payments, transactions), size)
                rate, start = await _drain(stage, scorers, transactions)
                runs.append((size, rate))
                starts.append(start)
                tell(f"{transactions} transactions in envelopes of {size}: {rate:.0f} a second")
    rates = {size: median(rate for each, rate in runs if each == size) for size in LOADS}
    return Measured(rates, median(starts), runs)


async def _fill(stage: Stage, payments: Iterator[dict[str, Any]], size: int) -> None:
    publisher = RabbitMQPublisher(stage.ground.urls["rabbitmq"], QUEUE)
    try:
        for envelope in pack(payments, size):
            await publisher.publish(envelope.body, message_id=str(uuid4()))
    finally:
        await publisher.close()


async def _drain(stage: Stage, scorers: Scorers, transactions: int) -> tuple[float, float]:
    """(transactions a second between the first record and the last, seconds until ready)."""
    known, begin = await asyncio.to_thread(stage.count), monotonic()
    since, ready = datetime.now(UTC).timestamp(), None
    scorers.want(1)
    while await asyncio.to_thread(stage.count) < known + transactions:
        await _wait(stage, begin + LONGEST_SECONDS)
        if ready is None and await scorers.ready():
            ready = monotonic() - begin
    scorers.want(0)
    while not scorers.are_gone():
        await _wait(stage, begin + 2 * LONGEST_SECONDS)
    times = sorted(each.recorded_at for each in stage.recorded() if each.recorded_at >= since)
    later = sum(at > times[0] for at in times)
    return later / (times[-1] - times[0]), monotonic() - begin if ready is None else ready


async def _wait(stage: Stage, deadline: float) -> None:
    if stage.supervisor.stopping.is_set():
        raise Stopped
    if monotonic() > deadline:
        raise NotDrained(
            f"A scorer did not drain its queue in time: read the logs in {stage.folder.path / 'logs'}."
        )
    stage.supervisor.tend()
    await asyncio.sleep(WAIT_SECONDS)


def _payments(seed: int) -> Iterator[dict[str, Any]]:
    run = uuid4().hex[:8]
    for number, payment in enumerate(ordinary(cast_of(seed), rate=1.0)):
        yield payment.posted(f"measured-{run}-{number}", datetime.now(UTC))
