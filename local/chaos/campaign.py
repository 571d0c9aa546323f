"""One campaign: load and faults together, healing, draining, and the books."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any

import httpx
import psycopg
import redis.asyncio

from functions.score.fault import Guarantee
from local.chaos.books import PUBLISHED_BEFORE, Check, Found, Heard, balance, lost
from local.chaos.deeds import NotDone, Scene, do
from local.chaos.finding import found, progress, take_all
from local.chaos.ledger import Ledger, Sent
from local.chaos.listener import StreamClient, Subscriber
from local.chaos.payments import parcels
from local.chaos.schedule import Fault, Kind
from local.chaos.stack import QUEUE, Stack
from local.chaos.traffic import CONNECTIONS, REQUEST_SECONDS, Traffic
from local.supervisor import TICK, PartFailed, Stopped, Supervisor
from shared.broker.rabbitmq import RabbitMQPublisher
from shared.domain.errors import BrokerUnavailable

DRAIN_PAUSE_SECONDS = 1.0
QUIET_SECONDS, QUIET_SECONDS_PER_NEWER = 2.0, 6.0
"""Score holds messages that the queue does not count, and pauses for each newer envelope among them."""
NO_PROGRESS_SECONDS = 60.0
READY_SECONDS = 60.0
FAULTS = "faults"
SHOWN_BY = {Guarantee.GATE: "once", Guarantee.HISTORY: "history", Guarantee.OUTBOX: "announced"}
"""The check that must break where score lacks the guarantee."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do: faults by time, under a load of `rate` payments a second for `seconds`.

    Score lacks the guarantee `sabotage`.
    """

    seed: int
    seconds: float
    rate: float
    faults: Sequence[Fault]
    sabotage: Guarantee | None = None

    @property
    def fault_setting(self) -> str:
        """FRAUDSENSE_FAULT for score."""
        return f"{self.sabotage}:off" if self.sabotage else ""


@dataclass(frozen=True, slots=True)
class Happening:
    """A line of the timeline, `at` seconds after the start."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The books, and what they are about; `drain_seconds` passed between the last answer and the last record."""

    checks: Sequence[Check]
    ledger: Ledger
    timeline: Sequence[Happening]
    drain_seconds: float


@dataclass(slots=True)
class Timeline:
    """What happened when; each line is told at once."""

    tell: Callable[[str], None]
    start: float = field(default_factory=monotonic)
    lines: list[Happening] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Something happens now."""
        self.lines.append(Happening(monotonic() - self.start, text))
        self.tell(f"{self.lines[-1].at:6.1f} s  {text}")


async def run_campaign(plan: Plan, stack: Stack, tell: Callable[[str], None]) -> Outcome:
    """Do it all on a running stack. An exception group holds Stopped where the supervisor is told to stop."""
    ledger, timeline = Ledger(), Timeline(tell)
    stack.supervisor.tell = timeline.note
    dashboard = StreamClient(stack.urls["alerts"].replace("http", "ws", 1))
    redis_client = redis.asyncio.Redis.from_url(stack.urls["redis"], socket_timeout=10, socket_connect_timeout=2)
    subscriber = Subscriber(redis_client)
    queue = RabbitMQPublisher(stack.urls["rabbitmq"], QUEUE)
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    client = httpx.AsyncClient(base_url=stack.urls["ingest"], timeout=REQUEST_SECONDS, limits=limits)
    traffic = Traffic(client, queue, ledger, plan.seed)
    scene = Scene(stack.supervisor, queue, traffic, ledger, dashboard, redis_client, plan.fault_setting)
    async with AsyncExitStack() as closing:
        for close in (queue.close, redis_client.aclose, client.aclose):
            closing.push_async_callback(close)
        await closing.enter_async_context(
            _background(_tend(stack.supervisor), dashboard.listen(), subscriber.listen())
        )
        undone = await _strike_under_load(plan, scene, timeline)
        if plan.sabotage:
            await _provoke(scene, subscriber, timeline, undone)
        drain_seconds = await _drain(stack, scene, timeline)
        checks = [*await _close_books(stack, scene, subscriber, timeline), _struck(plan, undone)]
    return Outcome(checks, ledger, timeline.lines, drain_seconds)


@asynccontextmanager
async def _background(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these beside the block, until it ends."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work) for work in works]
        yield
        for task in tasks:
            task.cancel()


async def _tend(supervisor: Supervisor) -> None:
    while not supervisor.stopping.is_set():
        supervisor.tend()
        await asyncio.sleep(TICK)
    raise Stopped


async def _strike_under_load(plan: Plan, scene: Scene, timeline: Timeline) -> list[str]:
    """Load and faults, until every answer is in and all is healed; the faults that failed, and why."""
    timeline.note(f"{plan.rate:g} payments a second for {plan.seconds:g} s, {len(plan.faults)} faults")
    undone: list[str] = []
    async with asyncio.TaskGroup() as works:
        works.create_task(scene.traffic.send(parcels(plan.seed, plan.rate), plan.seconds))
        for fault in plan.faults:
            works.create_task(_strike(fault, scene, timeline, undone))
    timeline.note("The load has ended and every fault is healed")
    return undone


async def _strike(fault: Fault, scene: Scene, timeline: Timeline, undone: list[str]) -> None:
    await asyncio.sleep(fault.at)
    timeline.note(f"begin  {fault}")
    try:
        await do(fault, scene)
        timeline.note(f"end    {fault}")
    except* NotDone as failures:
        undone.append(f"{fault.kind}: {failures.exceptions[0]}")
        timeline.note(f"failed {undone[-1]}")


async def _provoke(scene: Scene, subscriber: Subscriber, timeline: Timeline, undone: list[str]) -> None:
    """Kill score between recording and announcing an alert, in peace and heard: no guarantee is spared by that."""
    heard_from = max((gap.end + PUBLISHED_BEFORE for gap in subscriber.gaps), default=datetime.now(UTC))
    await asyncio.sleep(max(0.0, (heard_from - datetime.now(UTC)).total_seconds()))
    await _strike(Fault(0.0, Kind.DIE_ANNOUNCE), scene, timeline, undone)


def _struck(plan: Plan, undone: Sequence[str]) -> Check:
    numbers = {"faults": len(plan.faults), "kinds": len({fault.kind for fault in plan.faults})}
    return Check(FAULTS, "every fault of the schedule came about", numbers, undone)


OpenWork = tuple[int, int, int, int]
"""Accepted ids without an outcome, messages queued, alerts not announced, alerts not delivered."""

_OPEN = "{} missing, {} queued, {} to announce, {} to deliver"


async def _drain(stack: Stack, scene: Scene, timeline: Timeline) -> float:
    """Wait until all that was accepted has an outcome and every alert came, or nothing moves; for how long."""
    sent, start = scene.ledger.closed(), monotonic()
    moved, before = start, None
    while monotonic() < moved + _patience(before, sent):
        state = await _open_work(stack, scene, sent)
        if state != before:
            moved, before = monotonic(), state
            timeline.tell(f"Draining: {_OPEN.format(*state) if state else 'no answer'}")
        await asyncio.sleep(DRAIN_PAUSE_SECONDS)
    timeline.note(f"Drained: {_OPEN.format(*before) if before else 'no answer'}")
    return moved - start


def _patience(state: OpenWork | None, sent: Sent) -> float:
    """How long to wait for another state, in seconds."""
    if state is None or any(state):
        return NO_PROGRESS_SECONDS
    return QUIET_SECONDS + QUIET_SECONDS_PER_NEWER * len(sent.newer)


async def _open_work(stack: Stack, scene: Scene, sent: Sent) -> OpenWork | None:
    """None where the services do not answer."""
    try:
        queued = await scene.queue.depth() - len(sent.newer)
        reached = await asyncio.to_thread(progress, stack.urls["database"])
    except (BrokerUnavailable, psycopg.Error):
        return None
    undelivered = reached.newest_seq - max(scene.dashboard.seqs, default=0)
    return len(sent.accepted - reached.known), max(0, queued), reached.unannounced, max(0, undelivered)


async def _close_books(stack: Stack, scene: Scene, subscriber: Subscriber, timeline: Timeline) -> list[Check]:
    """Readiness first; then score is stopped, so that nothing moves while the books are read."""
    supervisor, rabbitmq = stack.supervisor, stack.urls["rabbitmq"]
    deadline = monotonic() + READY_SECONDS
    while (unready := await asyncio.to_thread(supervisor.unready)) and monotonic() < deadline:
        await asyncio.sleep(1)
    timeline.note("Closing the books")
    supervisor.hold("score")
    while not supervisor.is_down("score"):
        await asyncio.sleep(TICK)
    left = await take_all(rabbitmq, QUEUE)
    dead = await take_all(rabbitmq, f"{QUEUE}.dead")
    read = partial(found, stack.urls, dead_letters=len(dead), left_in_queue=left, unready=unready)
    gaps = [(gap.begin, gap.end) for gap in subscriber.gaps]
    heard = Heard(scene.dashboard.seqs, frozenset(subscriber.heard), gaps)
    sent = scene.ledger.closed()
    return balance(
        sent, await _mended(stack, sent, partial(read, redis_killed=sent.redis_killed), timeline), heard
    )


async def _mended(stack: Stack, sent: Sent, read: Callable[..., Found], timeline: Timeline) -> Found:
    """What is found, with those accounts rebuilt that a killed Redis forgot a part of: nothing else mends them."""
    state = await asyncio.to_thread(read)
    accounts = lost(sent, state)
    if not accounts:
        return state
    timeline.note(f"Rebuilding {len(accounts)} accounts whose last writes a killed Redis lost")
    try:
        stack.rebuild(accounts)
    except PartFailed as failure:
        timeline.note(str(failure))
    return await asyncio.to_thread(partial(read, rebuilt=accounts))
