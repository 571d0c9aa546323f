"""What each kind of fault does to the running stack. Every deed ends, and heals what it broke."""

import asyncio
import signal
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from time import monotonic

import redis.asyncio
from redis.exceptions import RedisError

from local.chaos.ledger import Ledger, Told
from local.chaos.listener import StreamClient
from local.chaos.payments import Door
from local.chaos.schedule import SERVICES, Away, Fault, Kind
from local.chaos.traffic import Traffic, envelope
from local.supervisor import TICK, Supervisor
from shared.messages.envelope import ENVELOPE_VERSION, MAX_ITEMS
from shared.ports import EnvelopePublisher

STRIKE_SECONDS = 240.0
DOWN_SECONDS = 40.0
HEAL_SECONDS = 60.0
ALARMS = 3


class NotDone(Exception):
    """The fault could not be brought about; the message says why."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What deeds act upon. `fault_setting` is what FRAUDSENSE_FAULT holds for score anyway."""

    supervisor: Supervisor
    queue: EnvelopePublisher
    traffic: Traffic
    ledger: Ledger
    dashboard: StreamClient
    redis: redis.asyncio.Redis
    fault_setting: str = ""
    turns: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    marks: Iterator[int] = field(default_factory=count)


async def do(fault: Fault, scene: Scene) -> None:
    """Bring the fault about; raises NotDone."""
    await _DEEDS[fault.kind](scene, fault)


async def _end(scene: Scene, fault: Fault) -> None:
    """End a part by a signal; the supervisor starts it again."""
    how, _, part = fault.kind.partition("-")
    async with scene.turns[part]:
        pid = scene.supervisor.pids()[part]
        scene.supervisor.send(part, signal.SIGKILL if how == "kill" else signal.SIGTERM)
        if fault.kind is Kind.KILL_REDIS:
            scene.ledger.redis_killed.append(datetime.now(UTC))
        await _until(lambda: scene.supervisor.pids()[part] != pid, DOWN_SECONDS, f"{part} was not started again")
        if part in SERVICES:
            await _healed(scene.supervisor, part)


async def _die_at_step(scene: Scene, fault: Fault) -> None:
    """Start score again so that it is killed at this step, with an alert in sight for the steps that need one."""
    supervisor, step = scene.supervisor, fault.kind.partition("-")[2]
    async with scene.turns["score"]:
        supervisor.hold("score", signal.SIGKILL)
        try:
            await _until(lambda: supervisor.is_down("score"), DOWN_SECONDS, "score could not be stopped")
            await scene.traffic.settle(Door.QUEUE, scene.traffic.alarming(ALARMS), repeat=False)
        finally:
            setting = ",".join(filter(None, (f"{step}:kill", scene.fault_setting)))
            before = supervisor.pids()["score"]
            supervisor.release("score", {"FRAUDSENSE_FAULT": setting})
        await _until(lambda: supervisor.pids()["score"] != before, DOWN_SECONDS, "score was not started again")
        armed = supervisor.pids()["score"]
        await _until(lambda: supervisor.pids()["score"] != armed, STRIKE_SECONDS, "no batch reached the step")


async def _take_away(scene: Scene, fault: Fault) -> None:
    async with asyncio.TaskGroup() as outages:
        for away in fault.away:
            outages.create_task(_outage(scene, away, fault.seconds))


async def _outage(scene: Scene, away: Away, seconds: float) -> None:
    supervisor, service = scene.supervisor, away.service
    async with scene.turns[service]:
        await (_hang if away.hangs else _keep_down)(supervisor, service, seconds)
        await _healed(supervisor, service)


async def _healed(supervisor: Supervisor, service: str) -> None:
    deadline = monotonic() + HEAL_SECONDS
    while await asyncio.to_thread(supervisor.unready, service):
        if monotonic() > deadline:
            raise NotDone(f"{service} did not come back")
        await asyncio.sleep(TICK)


async def _hang(supervisor: Supervisor, service: str, seconds: float) -> None:
    supervisor.send(service, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        supervisor.send(service, signal.SIGCONT)


async def _keep_down(supervisor: Supervisor, service: str, seconds: float) -> None:
    supervisor.hold(service)
    try:
        await _until(lambda: supervisor.is_down(service), DOWN_SECONDS, f"{service} could not be stopped")
        await asyncio.sleep(seconds)
    finally:
        supervisor.release(service)


async def _poison_bytes(scene: Scene, _: Fault) -> None:
    """Bytes that are no text, JSON that breaks off, and JSON that is no envelope."""
    mark = _mark(scene)
    bodies = {
        f"{mark}a": b"\xff\xfe %a",
        f"{mark}b": b'{"v": 1, "items": ["%a',
        f"{mark}c": b'{"v": 1, "items": [], "mark": "%a"}',
    }
    for name, body in bodies.items():
        await _publish(scene, body.replace(b"%a", name.encode()))
        scene.ledger.poison.add(name)


async def _poison_item(scene: Scene, _: Fault) -> None:
    """One bad item among 100; the others must be scored."""
    mark, items = _mark(scene), scene.traffic.alarming(MAX_ITEMS)
    bad = items[MAX_ITEMS // 2]
    bad |= {"transaction_id": mark, "amount": "-1"}
    good = [each["transaction_id"] for each in items if each is not bad]
    scene.ledger.note(good, Told.UNKNOWN)
    await _publish(scene, envelope(items))
    scene.ledger.note(good, Told.ACCEPTED)
    scene.ledger.poison.add(mark)


async def _newer_envelope(scene: Scene, _: Fault) -> None:
    mark = _mark(scene)
    await _publish(scene, envelope(scene.traffic.alarming(1), ENVELOPE_VERSION + 1, mark=mark))
    scene.ledger.newer.add(mark)


async def _drop_websocket(scene: Scene, _: Fault) -> None:
    await _until(scene.dashboard.drop, DOWN_SECONDS, "the WebSocket client was never connected")


async def _flush_redis(scene: Scene, _: Fault) -> None:
    async with scene.turns["redis"]:
        deadline, emptied = monotonic() + DOWN_SECONDS, False
        while not emptied:
            try:
                emptied = await scene.redis.flushall()
            except RedisError as error:
                if monotonic() > deadline:
                    raise NotDone("Redis could not be emptied") from error
                await asyncio.sleep(TICK)
        scene.ledger.flushed = True


def _mark(scene: Scene) -> str:
    """A name that no other message has or contains."""
    return f"chaos-mark-{next(scene.marks):04}"


async def _publish(scene: Scene, body: bytes) -> None:
    if not await scene.traffic.publish_surely(body):
        raise NotDone("the queue did not confirm it")


async def _until(holds: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Wait until it holds; raises NotDone after so many seconds."""
    deadline = monotonic() + seconds
    while not holds():
        if monotonic() > deadline:
            raise NotDone(otherwise)
        await asyncio.sleep(TICK)


_DEEDS: Mapping[Kind, Callable[[Scene, Fault], Awaitable[None]]] = {
    **dict.fromkeys((kind for kind in Kind if kind.startswith(("kill-", "term-"))), _end),
    **dict.fromkeys((kind for kind in Kind if kind.startswith("die-")), _die_at_step),
    **dict.fromkeys((kind for kind in Kind if kind.is_outage), _take_away),
    Kind.POISON_BYTES: _poison_bytes,
    Kind.POISON_ITEM: _poison_item,
    Kind.NEWER_ENVELOPE: _newer_envelope,
    Kind.DROP_WEBSOCKET: _drop_websocket,
    Kind.FLUSH_REDIS: _flush_redis,
}
