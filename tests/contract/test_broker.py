"""One contract for every broker: what is published is stored, handed out until settled, never lost silently."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

import pytest
from aio_pika import connect

from shared.broker.memory import MemoryQueue
from shared.broker.rabbitmq import RabbitMQPublisher
from shared.broker.selection import publisher_for
from shared.broker.topology import declare, recreate
from shared.command_line import UserError
from shared.domain.errors import BrokerUnavailable, EnvelopeRefused
from shared.messages.envelope import MAX_ENVELOPE_BYTES
from shared.settings import Settings
from tests.contract.brokers import Broker, MemoryBroker, RabbitMQBroker, rabbitmq_broker
from tests.contract.service_bus import azure_broker, service_bus_broker

MakeBroker = Callable[[int], AbstractAsyncContextManager[Broker]]
ENVELOPE = b'{"v":1,"items":[]}'


@asynccontextmanager
async def memory_broker(max_length: int) -> AsyncIterator[Broker]:
    yield MemoryBroker(max_length)


@pytest.fixture(
    params=[
        "memory",
        "rabbitmq-quorum",
        "rabbitmq-classic",
        "servicebus",
        pytest.param("azure", marks=pytest.mark.azure),
    ]
)
def make_broker(request: pytest.FixtureRequest, queue_name: str) -> MakeBroker:
    if request.param == "memory":
        return memory_broker
    if request.param == "servicebus":
        return lambda max_length: service_bus_broker(queue_name, max_length)
    if request.param == "azure":
        return azure_broker
    url = request.getfixturevalue("services").rabbitmq
    queue_type = request.param.removeprefix("rabbitmq-")
    return lambda max_length: rabbitmq_broker(url, queue_name, queue_type, max_length)


@pytest.fixture
async def broker(make_broker: MakeBroker) -> AsyncIterator[Broker]:
    async with make_broker(1000) as broker:
        yield broker


@pytest.fixture
async def rabbitmq(services, queue_name: str) -> AsyncIterator[RabbitMQBroker]:
    async with rabbitmq_broker(services.rabbitmq, queue_name, "quorum", 1000) as broker:
        yield broker


async def test_envelopes_arrive_whole_and_in_order(broker: Broker) -> None:
    for number in range(3):
        await broker.publisher.publish(json.dumps(number).encode(), message_id=f"m-{number}")

    received = [await broker.receive() for _ in range(3)]

    assert [(each.body, each.message_id) for each in received if each] == [
        (b"0", "m-0"),
        (b"1", "m-1"),
        (b"2", "m-2"),
    ]


async def test_concurrent_publishes_share_one_publisher(broker: Broker) -> None:
    async with asyncio.TaskGroup() as publishing:
        for number in range(20):
            publishing.create_task(broker.publisher.publish(b"x", message_id=f"m-{number}"))

    received = {each.message_id for _ in range(20) if (each := await broker.receive())}

    assert received == {f"m-{number}" for number in range(20)}


async def test_a_completed_message_is_gone(broker: Broker) -> None:
    await broker.publisher.publish(ENVELOPE, message_id="m-1")
    message = await broker.receive()
    assert message

    await message.complete()

    assert await broker.receive() is None
    assert await broker.dead_letters() == []


async def test_a_message_put_back_is_handed_out_again(broker: Broker) -> None:
    await broker.publisher.publish(ENVELOPE, message_id="m-1")
    message = await broker.receive()
    assert message

    await message.put_back()
    again = await broker.receive()

    assert again
    assert again.message_id == "m-1"


async def test_the_depth_is_what_waits(broker: Broker) -> None:
    for number in range(3):
        await broker.publisher.publish(ENVELOPE, message_id=f"m-{number}")
    await _until_depth(broker, 3)

    for _ in range(2):
        message = await broker.receive()
        assert message
        await message.complete()

    await _until_depth(broker, 1)


async def _until_depth(broker: Broker, expected: int) -> None:
    """Brokers count a moment later than they store."""
    async with asyncio.timeout(10):
        while await broker.publisher.depth() != expected:
            await asyncio.sleep(0.05)


async def test_a_rejected_message_is_a_dead_letter(broker: Broker) -> None:
    await broker.publisher.publish(ENVELOPE, message_id="m-1")
    message = await broker.receive()
    assert message

    await message.reject()

    assert await broker.dead_letters() == [ENVELOPE]
    assert await broker.receive() is None


async def test_a_full_queue_refuses_instead_of_dropping(make_broker: MakeBroker) -> None:
    async with make_broker(1) as broker:
        stored: list[str] = []

        async def publish_until_refused() -> None:
            for number in range(10):
                await broker.publisher.publish(ENVELOPE, message_id=f"m-{number}")
                stored.append(f"m-{number}")

        with pytest.raises(BrokerUnavailable, match="full"):
            await publish_until_refused()

        received = [each.message_id for _ in stored if (each := await broker.receive())]
        assert received == stored != []


async def test_a_message_put_back_too_often_is_a_dead_letter() -> None:
    queue = MemoryQueue(delivery_limit=2)
    queue.put(ENVELOPE, "m-1")

    for _ in range(3):
        delivery = queue.receive()
        assert delivery
        queue.put_back(delivery)

    assert queue.receive() is None
    assert [each.deliveries for each in queue.dead_letters] == [3]


async def test_an_envelope_that_every_reader_would_reject_is_refused(broker: Broker) -> None:
    with pytest.raises(EnvelopeRefused):
        await broker.publisher.publish(b" " * (MAX_ENVELOPE_BYTES + 1), message_id="m-1")

    assert await broker.receive() is None


async def test_a_broker_that_is_away_is_reported_and_found_again(broker: Broker) -> None:
    await broker.publisher.publish(b"before", message_id="m-1")
    await broker.take_away()

    with pytest.raises(BrokerUnavailable):
        await broker.publisher.publish(b"while away", message_id="m-2")
    with pytest.raises(BrokerUnavailable):
        await broker.publisher.check()
    with pytest.raises(BrokerUnavailable):
        await broker.publisher.depth()

    await broker.bring_back()
    await broker.publisher.publish(b"after", message_id="m-3")
    await broker.publisher.check()

    received = [each.body for _ in range(2) if (each := await broker.receive())]
    assert received == [b"before", b"after"]


async def test_a_closed_publisher_opens_again(broker: Broker) -> None:
    await broker.publisher.publish(b"1", message_id="m-1")
    await broker.publisher.close()

    await broker.publisher.publish(b"2", message_id="m-2")

    assert [each.body for _ in range(2) if (each := await broker.receive())] == [b"1", b"2"]


async def test_a_paused_rabbitmq_is_given_up_on_and_found_again(rabbitmq: RabbitMQBroker) -> None:
    await rabbitmq.publisher.publish(b"before", message_id="m-1")
    rabbitmq.proxy.stall()

    for _ in range(2):
        with pytest.raises(BrokerUnavailable, match="did not confirm"):
            await asyncio.wait_for(rabbitmq.publisher.publish(b"paused", message_id="m-2"), 4)

    rabbitmq.proxy.flow()
    await rabbitmq.publisher.publish(b"after", message_id="m-3")


async def test_a_port_that_accepts_and_says_nothing_is_given_up_on() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    publisher = RabbitMQPublisher(f"amqp://guest:guest@127.0.0.1:{port}/", "q", timedelta(seconds=0.3))

    with pytest.raises(BrokerUnavailable, match="did not confirm"):
        await publisher.publish(ENVELOPE, message_id="m-1")

    await publisher.close()
    server.close()


async def test_a_missing_queue_names_the_command_that_declares_it(services, queue_name: str) -> None:
    publisher = RabbitMQPublisher(services.rabbitmq, queue_name)

    for attempt in (lambda: publisher.publish(ENVELOPE, message_id="m-1"), publisher.check):
        with pytest.raises(BrokerUnavailable, match=r"python -m shared\.broker\.topology"):
            await attempt()

    await publisher.close()


async def test_messages_are_persistent_json(rabbitmq: RabbitMQBroker, services, queue_name: str) -> None:
    await rabbitmq.publisher.publish(ENVELOPE, message_id="m-1")

    async with await connect(services.rabbitmq) as connection, connection.channel() as channel:
        queue = await channel.get_queue(queue_name)
        message = await queue.get(timeout=2)
        await message.ack()

    assert message.delivery_mode == 2
    assert message.content_type == "application/json"


async def test_declaring_again_changes_nothing(rabbitmq: RabbitMQBroker, services, queue_name: str) -> None:
    await rabbitmq.publisher.publish(ENVELOPE, message_id="m-1")

    await declare(services.rabbitmq, queue_name, "quorum", 1000)

    assert await rabbitmq.receive()


async def test_a_queue_of_another_type_is_recreated_only_once_it_is_drained(
    rabbitmq: RabbitMQBroker, services, queue_name: str
) -> None:
    await rabbitmq.publisher.publish(ENVELOPE, message_id="m-1")

    with pytest.raises(UserError, match="drain and recreate"):
        await declare(services.rabbitmq, queue_name, "classic", 1000)
    with pytest.raises(UserError, match="still has 1 messages"):
        await recreate(services.rabbitmq, queue_name, "classic", 1000)
    message = await rabbitmq.receive()
    assert message
    await message.complete()
    await recreate(services.rabbitmq, queue_name, "classic", 1000)

    await declare(services.rabbitmq, queue_name, "classic", 1000)


async def test_a_broker_that_cannot_be_reached_is_named_when_declaring(queue_name: str) -> None:
    with pytest.raises(BrokerUnavailable, match="FRAUDSENSE_RABBITMQ_URL"):
        await declare("amqp://guest:guest@127.0.0.1:1/", queue_name, "quorum", 1)


@pytest.mark.parametrize("broker", ["rabbitmq", "memory"])
def test_a_publisher_is_made_without_any_connection(broker: str) -> None:
    settings = Settings(broker=broker, rabbitmq_url="amqp://127.0.0.1:1/")  # type: ignore[arg-type]

    assert publisher_for(settings)
