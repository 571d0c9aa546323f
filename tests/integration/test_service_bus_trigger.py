"""The stand-in's Service Bus trigger as a process, over the AMQP wire: batches, settlement, outages, signals."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("proton", reason="the test double of Service Bus needs python-qpid-proton")

from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.amqp import AmqpAnnotatedMessage

from tests.servicebus.double import ServiceBusDouble, running_double
from tests.servicebus.queues import Rules
from tests.toy_host import RunningHost, toy_hosts
from tests.waiting import eventually

QUEUE = "toys"


@pytest.fixture
def double() -> Iterator[ServiceBusDouble]:
    with running_double(Rules(lock_seconds=5, max_deliveries=3)) as double:
        double.declare(QUEUE)
        yield double


@pytest.fixture
def start_score(tmp_path: Path, double: ServiceBusDouble) -> Iterator[Callable[[], RunningHost]]:
    environment = {
        "FRAUDSENSE_BROKER": "servicebus",
        "FRAUDSENSE_SERVICEBUS_CONNECTION": double.connection_string,
        "FRAUDSENSE_QUEUE_NAME": QUEUE,
    }
    with toy_hosts(tmp_path) as start:
        yield lambda: start("--group", "score", **environment)


def send(double: ServiceBusDouble, *bodies: bytes) -> None:
    """All at once."""
    with (
        ServiceBusClient.from_connection_string(double.connection_string) as client,
        client.get_queue_sender(QUEUE) as sender,
    ):
        sender.send_messages([ServiceBusMessage(body) for body in bodies], timeout=10)


def numbered(number: int) -> list[bytes]:
    return [f"{n}".encode() for n in range(number)]


def test_messages_come_in_batches_of_twenty_at_most_and_a_batch_that_succeeds_is_gone(
    double: ServiceBusDouble, start_score
) -> None:
    send(double, *numbered(45))
    host = start_score()

    eventually(lambda: double.active(QUEUE) == 0)

    assert host.stop() == 0
    notes = host.notes()
    assert notes[0] == "status"
    assert sum(note.startswith("end") for note in notes) == 45
    sizes = [int(note.removeprefix("batch of ")) for note in notes if note.startswith("batch of")]
    assert max(sizes) == 20
    assert host.events() == ["started", "stopped"]


def test_a_batch_that_fails_is_abandoned_as_a_whole_until_the_broker_gives_up(
    double: ServiceBusDouble, start_score
) -> None:
    send(double, b"good", b"bad")
    host = start_score()

    host.wait_for("begin b'bad'", times=3)
    eventually(lambda: double.active(QUEUE) == 0)
    send(double, b"later")
    host.wait_for("end b'later'")

    assert host.stop() == 0
    assert host.notes().count("begin b'bad'") == 3
    assert double.active(f"{QUEUE}/$DeadLetterQueue") == 2


def test_a_message_of_another_producer_may_hold_text_instead_of_bytes(
    double: ServiceBusDouble, start_score
) -> None:
    text = AmqpAnnotatedMessage(value_body="some text")
    with (
        ServiceBusClient.from_connection_string(double.connection_string) as client,
        client.get_queue_sender(QUEUE) as sender,
    ):
        sender.send_messages(text, timeout=10)
    host = start_score()

    host.wait_for("end b'some text'")

    assert host.stop() == 0
    assert double.active(QUEUE) == 0


def test_sigterm_lets_the_batch_in_hand_finish_and_leaves_the_others(
    double: ServiceBusDouble, start_score
) -> None:
    host = start_score()
    send(double, b"slow")
    host.wait_for("begin b'slow'")
    send(double, b"next")

    assert host.stop() == 0

    assert "end b'slow'" in host.notes()
    assert "begin b'next'" not in host.notes()
    assert double.active(QUEUE) == 1


def test_after_an_outage_it_connects_again_and_what_was_in_hand_is_settled_or_comes_back(
    double: ServiceBusDouble, start_score
) -> None:
    host = start_score()
    send(double, b"slow")
    host.wait_for("begin b'slow'")

    double.stop()
    host.wait_for("end b'slow'")
    double.start()
    send(double, b"later")
    host.wait_for("end b'later'")
    eventually(lambda: double.active(QUEUE) == 0)

    assert host.stop() == 0
    assert double.active(f"{QUEUE}/$DeadLetterQueue") == 0
