"""One burst on real processes: the rules decide, scorers start and stop, and everything is written down."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic, time

from local.scale_sim.burst import Burst
from local.scale_sim.queue_api import QueueApi
from local.scale_sim.rules import Rules, State, advance
from local.scale_sim.scorers import Scorers
from local.scale_sim.stage import Recorded, Stage
from local.supervisor import Stopped

TICK_SECONDS = 0.2
PATIENCE_SECONDS = 60.0
"""Beside cooldown and stabilisation: so long nothing may move before the run is given up."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`transactions` payments at `rate` a second after `quiet` seconds, under these rules."""

    rules: Rules
    transactions: int
    rate: float
    quiet: float
    seed: int


@dataclass(frozen=True, slots=True)
class Sample:
    """`at` seconds after the start: envelopes waiting or in hand, replicas wanted, and those that were ready."""

    at: float
    backlog: int
    wanted: int
    ready: int


@dataclass(frozen=True, slots=True)
class Course:
    """What happened; `start` is its begin in seconds of the Unix epoch, `accepted` what ingest took."""

    plan: Plan
    start: float
    samples: Sequence[Sample]
    accepted: frozenset[str]
    recorded: Sequence[Recorded]


@dataclass(slots=True)
class _Scaling:
    rules: Rules
    queue: QueueApi
    scorers: Scorers
    tell: Callable[[str], None]
    state: State = field(default_factory=State)
    samples: list[Sample] = field(default_factory=list)

    async def look(self, now: float) -> None:
        """Read the queue, apply the rules, and start or stop scorers as they say."""
        backlog = await self.queue.length()
        before, was = (self.samples[-1].at if self.samples else 0.0), self.state.replicas
        self.state = advance(self.state, self.rules, backlog, before, now)
        if self.state.replicas != was:
            self.tell(f"{now:6.1f} s  {backlog:5} envelopes: {was} -> {self.state.replicas} replicas")
            self.scorers.want(self.state.replicas)
        self.samples.append(Sample(now, backlog, self.state.replicas, await self.scorers.ready()))

    @property
    def at_rest(self) -> bool:
        """Whether there is nothing to do and nobody to do it."""
        last = self.samples[-1]
        return last.backlog == last.wanted == 0


async def play(plan: Plan, stage: Stage, tell: Callable[[str], None]) -> Course:
    """Run it until all is recorded and no scorer is left, or nothing moves; raises Stopped, PartFailed."""
    start, wall = monotonic(), time()
    async with stage.tools() as (queue, scorers, ingest), asyncio.TaskGroup() as works:
        burst = Burst(ingest, plan.transactions, plan.rate, plan.seed)
        sending = works.create_task(_send(burst, plan, tell))
        scaling = _Scaling(plan.rules, queue, scorers, tell)
        moved, before = start, None
        while not (await _is_over(scaling, sending, stage, burst)) and monotonic() < moved + _patience(plan):
            if stage.supervisor.stopping.is_set():
                raise Stopped
            stage.supervisor.tend()
            await scaling.look(monotonic() - start)
            if before != (before := (len(burst.accepted), scaling.samples[-1].backlog, scaling.state.replicas)):
                moved = monotonic()
            await asyncio.sleep(TICK_SECONDS)
        sending.cancel()
    return Course(plan, wall, scaling.samples, frozenset(burst.accepted), await asyncio.to_thread(stage.recorded))


async def _send(burst: Burst, plan: Plan, tell: Callable[[str], None]) -> None:
    await asyncio.sleep(plan.quiet)
    tell(f"{plan.quiet:6.1f} s  the burst begins: {plan.transactions} payments at {plan.rate:g} a second")
    await burst.send()


async def _is_over(scaling: _Scaling, sending: asyncio.Task[None], stage: Stage, burst: Burst) -> bool:
    if not (sending.done() and scaling.at_rest):
        return False
    return await asyncio.to_thread(stage.count) >= len(burst.accepted)


def _patience(plan: Plan) -> float:
    return PATIENCE_SECONDS + plan.quiet + plan.rules.cooldown + plan.rules.down.window
