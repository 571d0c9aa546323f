"""The stand-in for the Functions host, as a process: a toy app, a real RabbitMQ, real signals."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.contract.brokers import RabbitMQBroker, rabbitmq_broker
from tests.ports import free_port
from tests.toy_host import PATIENCE_SECONDS, RunningHost, toy_hosts


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., RunningHost]]:
    with toy_hosts(tmp_path) as start:
        yield start


@pytest.fixture
async def broker(services, queue_name: str) -> AsyncIterator[RabbitMQBroker]:
    async with rabbitmq_broker(services.rabbitmq, queue_name, "quorum", 1000) as broker:
        yield broker


@pytest.fixture
def start_score(start: Callable[..., RunningHost], services, queue_name: str) -> Callable[..., RunningHost]:
    def start_one(url: str = services.rabbitmq) -> RunningHost:
        return start("--group", "score", FRAUDSENSE_RABBITMQ_URL=url, FRAUDSENSE_QUEUE_NAME=queue_name)

    return start_one


async def test_a_message_that_succeeds_is_gone(broker: RabbitMQBroker, start_score) -> None:
    await broker.publisher.publish(b"\xff\x00", message_id="m-1")
    host = start_score()

    host.wait_for(r"end b'\xff\x00'")

    assert host.notes()[0] == "status"
    assert host.stop() == 0
    assert host.events() == ["started", "stopped"]
    assert await broker.receive() is None
    assert await broker.dead_letters() == []


async def test_a_message_that_fails_is_run_five_times_and_then_a_dead_letter(
    broker: RabbitMQBroker, start_score
) -> None:
    await broker.publisher.publish(b"bad", message_id="m-1")
    await broker.publisher.publish(b"good", message_id="m-2")
    host = start_score()

    host.wait_for("end b'good'")
    host.wait_for("begin b'bad'", times=5)

    assert await broker.dead_letters() == [b"bad"]
    assert host.stop() == 0
    assert host.notes().count("begin b'bad'") == 5
    assert await broker.receive() is None


async def test_sigterm_lets_the_message_in_hand_finish_and_returns_the_others(
    broker: RabbitMQBroker, start_score
) -> None:
    await broker.publisher.publish(b"slow", message_id="m-1")
    await broker.publisher.publish(b"next", message_id="m-2")
    host = start_score()
    host.wait_for("begin b'slow'")

    assert host.stop() == 0

    assert host.notes() == ["status", "begin b'slow'", "end b'slow'"]
    returned = await broker.receive()
    assert returned
    assert returned.body == b"next"
    assert await broker.receive() is None


async def test_a_lost_connection_is_opened_again_and_what_was_in_hand_comes_back(
    broker: RabbitMQBroker, start_score
) -> None:
    host = start_score(broker.proxied_url)
    await broker.publisher.publish(b"slow", message_id="m-1")
    await _until(host, "begin b'slow'")

    await broker.take_away()
    await broker.bring_back()
    await _until(host, "end b'slow'", times=2)
    await broker.publisher.publish(b"later", message_id="m-2")
    await _until(host, "end b'later'")

    assert host.stop() == 0
    assert host.events() == ["started", "service_away", "service_back", "stopped"]
    assert await broker.receive() is None


async def test_a_queue_that_is_declared_later_is_found(services, queue_name: str, start_score) -> None:
    host = start_score()
    host.wait_for("status")

    async with rabbitmq_broker(services.rabbitmq, queue_name, "quorum", 10) as broker:
        await broker.publisher.publish(b"good", message_id="m-1")
        host.wait_for("end b'good'")

        assert host.stop() == 0


def test_the_http_trigger_is_served_on_loopback_and_finishes_requests_on_sigterm(start) -> None:
    port = free_port()
    host = start("--group", "ingest", "--port", str(port))
    host.wait_until(lambda: _answers(port))

    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        assert client.get("/transactions/t-1").text == "/transactions/t-1"

    with ThreadPoolExecutor() as clients:
        slow = clients.submit(httpx.get, f"http://127.0.0.1:{port}/slow")
        host.wait_for("request /slow")
        assert host.stop() == 0
        assert slow.result().text == "/slow"
    assert host.events()[0] == "started"


def test_a_port_that_is_taken_is_a_sentence(start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host = start("--group", "ingest", "--port", str(taken.getsockname()[1]))
        _, errors = host.process.communicate(timeout=PATIENCE_SECONDS)

    assert host.process.returncode == 2
    assert "FRAUDSENSE_INGEST_PORT" in errors
    assert "started" not in errors


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"FRAUDSENSE_BROKER": "memory"}, "keeps the queue inside one process"),
        ({"FRAUDSENSE_BROKER": "servicebus"}, "needs FRAUDSENSE_SERVICEBUS_CONNECTION"),
        (
            {"FRAUDSENSE_BROKER": "servicebus", "TOY_CARDINALITY": "one"},
            "must have data_type='binary' and cardinality='many'",
        ),
    ],
)
def test_what_it_cannot_run_is_a_sentence(start, environment: dict[str, str], sentence: str) -> None:
    host = start("--group", "score", **environment)
    _, errors = host.process.communicate(timeout=PATIENCE_SECONDS)

    assert host.process.returncode == 2
    assert sentence in errors


async def _until(host: RunningHost, note: str, times: int = 1) -> None:
    """Waits in a thread: the proxy of the broker lives on this event loop."""
    await asyncio.to_thread(host.wait_for, note, times)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
