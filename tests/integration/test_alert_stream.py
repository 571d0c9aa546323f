"""The stream under a real server: PostgreSQL, a Redis that comes and goes, and clients that must miss nothing."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import psycopg
import pytest
import websockets
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from functions.alerts.__main__ import LONGEST_MESSAGE_BYTES
from tests.live_alerts import AlertsServer, PrivateRedis, Scorer
from tests.waiting import eventually


@pytest.fixture
def private_redis() -> Iterator[PrivateRedis]:
    server = PrivateRedis()
    with server.running():
        yield server


@pytest.fixture
def server(database_url: str, private_redis: PrivateRedis) -> Iterator[AlertsServer]:
    server = AlertsServer(database_url, private_redis.url)
    with server.running():
        yield server


@pytest.fixture
def scorer(database_url: str, private_redis: PrivateRedis) -> Iterator[Scorer]:
    scorer = Scorer(database_url, private_redis.url)
    yield scorer
    scorer.close()


def seqs_after(database_url: str, seq: int) -> list[int]:
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT seq FROM alerts WHERE seq > %s ORDER BY seq", [seq]).fetchall()
    return [row[0] for row in rows]


def highest_seq(database_url: str) -> int:
    return max(seqs_after(database_url, 0), default=0)


async def frames(stream: websockets.asyncio.client.ClientConnection) -> AsyncIterator[dict]:
    async for text in stream:
        yield json.loads(text)


class Dashboard:
    """A client that connects again after its last number, and keeps every number it was ever sent."""

    def __init__(self, url: str, after: int) -> None:
        self.url = url
        self.after = after
        self.received: list[int] = []
        self.connections = 0

    async def follow(self) -> None:
        while True:
            with suppress(WebSocketException, OSError):
                await self._listen()
            await asyncio.sleep(0.1)

    async def _listen(self) -> None:
        async with connect(f"{self.url}?after={self.after}", ping_interval=None) as stream:
            async for frame in frames(stream):
                if frame["type"] == "ready":
                    self.connections += 1
                elif frame["type"] == "alert":
                    self.received.append(frame["seq"])
                    self.after = frame["seq"]


async def read_to_the_end(stream: websockets.asyncio.client.ClientConnection) -> None:
    while True:
        await stream.recv()


async def in_thread(work, *args):
    return await asyncio.to_thread(work, *args)


async def test_fifty_clients_get_each_alert_once_through_a_restart_and_a_crash_of_alerts_and_a_restart_of_redis(
    server: AlertsServer, private_redis: PrivateRedis, scorer: Scorer, database_url: str
) -> None:
    start = highest_seq(database_url)
    dashboards = [Dashboard(server.stream_url, start) for _ in range(50)]
    following = [asyncio.create_task(each.follow()) for each in dashboards]
    flowing = asyncio.Event()
    flowing.set()

    async def flow() -> None:
        while flowing.is_set():
            await in_thread(scorer.raise_alert)
            await asyncio.sleep(0.02)

    async def some_more(number: int) -> None:
        goal = len(seqs_after(database_url, start)) + number
        while len(seqs_after(database_url, start)) < goal:
            await asyncio.sleep(0.05)

    alerts_flow = asyncio.create_task(flow())
    await some_more(20)
    for end in (server.stop, server.crash):
        await in_thread(end)
        await some_more(20)
        await in_thread(server.start)
        await some_more(20)
    await in_thread(private_redis.stop)
    await some_more(20)
    await in_thread(private_redis.start)
    await some_more(20)
    flowing.clear()
    await alerts_flow

    expected = seqs_after(database_url, start)
    await in_thread(eventually, lambda: all(each.after == expected[-1] for each in dashboards))
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    assert all(each.received == expected for each in dashboards)
    assert all(each.connections == 3 for each in dashboards), "a restart of Redis must not disconnect anyone"


async def test_an_alert_reaches_a_client_in_the_agreed_form(server: AlertsServer, scorer: Scorer) -> None:
    async with connect(f"{server.stream_url}?after=nonsense") as stream:
        ready = json.loads(await stream.recv())
        alert = scorer.raise_alert(account_id="acct-7", merchant_id="mer-7")
        frame = json.loads(await stream.recv())
    assert ready["type"] == "ready"
    assert (frame["type"], frame["seq"], frame["alert"]["seq"]) == ("alert", alert.seq, alert.seq)
    assert set(frame["alert"]) == {
        "alert_id", "transaction_id", "account_id", "amount", "currency", "merchant_id", "risk", "risk_label",
        "reason", "reasons", "threshold", "model_version", "occurred_at", "created_at", "seq",
    }  # fmt: skip
    assert (frame["alert"]["account_id"], frame["alert"]["reason"]) == ("acct-7", "amount_far_above_usual")


async def test_a_page_of_another_host_cannot_open_the_stream(server: AlertsServer) -> None:
    async with connect(server.stream_url, origin=server.url) as own:
        assert json.loads(await own.recv())["type"] == "ready"
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with connect(server.stream_url, origin="http://evil.example"):
            pass
    assert refused.value.response.status_code == 403


async def test_an_alert_that_was_never_announced_reaches_clients_and_is_swept(
    server: AlertsServer, scorer: Scorer, database_url: str
) -> None:
    async with connect(f"{server.stream_url}?after=nonsense") as stream:
        await stream.recv()
        alert = scorer.record()
        frame = json.loads(await stream.recv())

    def is_announced() -> bool:
        with psycopg.connect(database_url) as connection:
            query = "SELECT announced_at FROM alerts WHERE seq = %s"
            return connection.execute(query, [alert.seq]).fetchone() != (None,)

    assert frame["seq"] == alert.seq
    assert not is_announced()
    await in_thread(eventually, is_announced)


async def test_sigterm_ends_the_server_though_clients_are_connected(server: AlertsServer) -> None:
    quiet = f"{server.stream_url}?after=nonsense"
    async with connect(quiet) as stream, connect(quiet) as other:
        await stream.recv()
        await other.recv()
        await in_thread(server.stop)
        with pytest.raises(websockets.ConnectionClosed):
            await stream.recv()


async def test_a_client_that_talks_too_much_is_closed_with_1009(server: AlertsServer) -> None:
    async with connect(f"{server.stream_url}?after=nonsense") as stream:
        await stream.recv()
        await stream.send("x" * (LONGEST_MESSAGE_BYTES + 1))
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await stream.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


async def test_a_client_that_does_not_read_is_closed_with_4408_and_others_are_not(
    server: AlertsServer, scorer: Scorer, database_url: str
) -> None:
    quiet = f"{server.stream_url}?after=nonsense"
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.connect(("127.0.0.1", server.port))
    async with connect(quiet, max_queue=None) as quick, connect(quiet, sock=narrow, max_queue=1) as slow:
        last = json.loads(await quick.recv())["seq"]
        await slow.recv()
        await in_thread(scorer.record_burst, 12_000)
        received = [json.loads(await quick.recv())["seq"] for _ in range(12_000)]
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await read_to_the_end(slow)
    assert received == seqs_after(database_url, last)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4408
