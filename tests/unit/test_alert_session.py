"""One client's stream: `ready`, what it missed, what comes; outages are waited for, slow clients are closed."""

import asyncio
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.alerts.hub import Hub
from functions.alerts.session import TOO_SLOW, TRY_LATER, cursor, serve
from shared.testing.alerts import MemoryAlerts
from tests.alerts import an_alert, announcement


class Client:
    """A client in memory; `reads` is cleared while its buffers are full."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.closed_with: int | None = None
        self.reads = asyncio.Event()
        self.reads.set()
        self.leaves = asyncio.Event()

    async def send(self, text: str) -> None:
        await self.reads.wait()
        self.frames.append(json.loads(text))

    async def gone(self) -> None:
        await self.leaves.wait()

    async def close(self, code: int, reason: str) -> None:
        assert ("?after=" in reason) == (code == TOO_SLOW)
        self.closed_with = code

    @property
    def seqs(self) -> list[int]:
        return [frame["seq"] for frame in self.frames if frame["type"] == "alert"]


class Desk:
    """A hub over recorded alerts, and clients connecting to it."""

    def __init__(self, recorded: int, **options: int) -> None:
        self.alerts = MemoryAlerts([an_alert(seq) for seq in range(1, recorded + 1)])
        self.hub = Hub(self.alerts, **options)
        self.streams: list[asyncio.Task[None]] = []

    def connect(self, after: str | None = None) -> Client:
        client = Client()
        self.streams.append(asyncio.create_task(serve(client, self.hub, self.alerts, after)))
        return client

    def announce(self, *seqs: int) -> None:
        for seq in seqs:
            self.alerts.add(an_alert(seq))
            self.hub.receive(announcement(an_alert(seq)))

    async def settle(self) -> None:
        """Let everything that can run do so."""
        for _ in range(50):
            await asyncio.sleep(0)


async def a_desk(recorded: int, **options: int) -> Desk:
    desk = Desk(recorded, **options)
    await desk.hub.catch_up()
    return desk


@pytest.mark.parametrize(
    ("after", "expected"),
    [(None, None), ("0", 0), ("7", 7), ("9", 9), ("10", 9), ("", 9), ("abc", 9), ("-1", 9), ("1.5", 9), ("٣", 9)],
)  # fmt: skip
def test_a_cursor_beyond_the_end_or_without_sense_is_the_end(after: str | None, expected: int | None) -> None:
    assert cursor(after, high=9) == expected


async def test_ready_comes_first_and_tells_the_highest_number() -> None:
    desk = await a_desk(recorded=3)
    client = desk.connect(after="0")
    await desk.settle()
    assert client.frames[0] == {"type": "ready", "seq": 3}
    assert client.seqs == [1, 2, 3]


async def test_a_client_without_a_cursor_gets_the_newest_hundred() -> None:
    desk = await a_desk(recorded=250)
    client = desk.connect()
    await desk.settle()
    assert client.seqs == [*range(151, 251)]


async def test_a_client_with_a_cursor_gets_everything_after_it_however_much() -> None:
    desk = await a_desk(recorded=950)
    client = desk.connect(after="50")
    await desk.settle()
    assert client.seqs == [*range(51, 951)]


async def test_a_client_at_the_end_gets_only_what_comes() -> None:
    desk = await a_desk(recorded=3)
    client = desk.connect(after="99")
    await desk.settle()
    desk.announce(4)
    await desk.settle()
    assert client.seqs == [4]


async def test_alerts_announced_while_a_client_catches_up_come_after_what_it_missed() -> None:
    desk = await a_desk(recorded=3)
    client = desk.connect(after="1")
    client.reads.clear()
    await desk.settle()
    desk.announce(4, 5)
    client.reads.set()
    await desk.settle()
    assert client.seqs == [2, 3, 4, 5]


async def test_a_client_that_is_too_slow_is_closed_with_4408_and_forgotten() -> None:
    desk = await a_desk(recorded=0, client_queue=5)
    slow, quick = desk.connect(), desk.connect()
    slow.reads.clear()
    for seq in range(1, 9):
        desk.announce(seq)
        await desk.settle()
    assert (slow.closed_with, quick.closed_with) == (4408, None)
    assert quick.seqs == [*range(1, 9)]
    assert desk.hub.clients == 1


async def test_one_client_too_many_is_closed_with_1013_until_another_leaves() -> None:
    desk = await a_desk(recorded=0, most_clients=1)
    first, second = desk.connect(), desk.connect()
    await desk.settle()
    assert (first.closed_with, second.closed_with, second.frames) == (None, TRY_LATER, [])
    first.leaves.set()
    await desk.settle()
    third = desk.connect()
    await desk.settle()
    assert (third.closed_with, desk.hub.clients) == (None, 1)


async def test_a_client_that_leaves_is_forgotten() -> None:
    desk = await a_desk(recorded=0)
    client = desk.connect()
    await desk.settle()
    assert desk.hub.clients == 1
    client.leaves.set()
    await desk.settle()
    assert (desk.hub.clients, desk.streams[0].done()) == (0, True)


async def test_a_client_that_comes_before_the_hub_is_ready_waits_for_it() -> None:
    desk = Desk(recorded=2)
    client = desk.connect(after="0")
    await desk.settle()
    assert client.frames == []
    await desk.hub.catch_up()
    await desk.settle()
    assert client.seqs == [1, 2]


async def test_a_client_that_leaves_before_the_hub_is_ready_ends_its_stream() -> None:
    desk = Desk(recorded=0)
    client = desk.connect()
    client.leaves.set()
    await desk.settle()
    assert desk.streams[0].done()


async def test_a_client_stays_connected_while_the_database_is_away() -> None:
    desk = await a_desk(recorded=2)
    desk.alerts.away = True
    client = desk.connect(after="0")
    await desk.settle()
    assert (client.frames, desk.streams[0].done()) == ([{"type": "ready", "seq": 2}], False)
    desk.alerts.away = False
    async with asyncio.timeout(20):
        while not client.seqs:
            await asyncio.sleep(0.05)
    assert client.seqs == [1, 2]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
async def test_whenever_a_client_comes_it_gets_each_alert_after_its_cursor_once(seed: int) -> None:
    chance = random.Random(seed)
    desk = await a_desk(recorded=chance.randint(0, 300))
    seq = await desk.alerts.highest_seq()
    clients = []
    for _ in range(30):
        if chance.random() < 0.3:
            after = chance.randint(0, seq)
            clients.append((desk.connect(str(after)), after))
        seq += 1
        desk.announce(seq)
        for _ in range(chance.randint(0, 3)):
            await asyncio.sleep(0)
    await desk.settle()
    for client, after in clients:
        assert client.seqs == [*range(after + 1, seq + 1)]
    for stream in desk.streams:
        stream.cancel()
