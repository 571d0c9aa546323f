"""What is Service Bus' own: batches of one sender, duplicate detection, lost acknowledgements, what it refuses."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import cast

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceiveMode, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import MessageLockLostError, MessageSizeExceededError

from shared.broker.selection import publisher_for
from shared.broker.service_bus import ServiceBusPublisher
from shared.broker.service_bus_access import ServiceBusAccess
from shared.command_line import UserError
from shared.domain.errors import BrokerUnavailable
from shared.messages.envelope import MAX_ENVELOPE_BYTES
from shared.settings import Settings
from tests.contract.service_bus import ServiceBusBroker, body_of, service_bus_broker
from tests.ports import free_port
from tests.servicebus.queues import Rules

ENVELOPE = b'{"v":1,"items":[]}'
KEY = "Endpoint=sb://n.servicebus.windows.net/;SharedAccessKeyName=k;SharedAccessKey=s3cret"


@pytest.fixture
async def broker(queue_name: str) -> AsyncIterator[ServiceBusBroker]:
    async with service_bus_broker(queue_name, 1000) as broker:
        yield broker


async def publish_together(broker: ServiceBusBroker, count: int, body: bytes = ENVELOPE) -> None:
    async with asyncio.TaskGroup() as publishing:
        for number in range(count):
            publishing.create_task(broker.publisher.publish(body, message_id=f"m-{number}"))


async def test_what_waits_goes_out_in_few_batches_of_one_sender(broker: ServiceBusBroker) -> None:
    await publish_together(broker, 40)

    assert (broker.double.counted["messages"], broker.double.counted["senders"]) == (40, 1)
    assert broker.double.counted["transfers"] <= 2


async def test_large_envelopes_are_spread_over_batches_of_256_kib(broker: ServiceBusBroker) -> None:
    await publish_together(broker, 6, b"x" * (MAX_ENVELOPE_BYTES // 2 + 1))

    assert (broker.double.counted["messages"], broker.double.counted["transfers"]) == (6, 3)


async def test_the_largest_envelope_fits(broker: ServiceBusBroker) -> None:
    await broker.publisher.publish(b"x" * MAX_ENVELOPE_BYTES, message_id="m" * 128)

    message = await broker.receive()
    assert message
    assert len(message.body) == MAX_ENVELOPE_BYTES


async def test_a_repeated_message_id_is_discarded(broker: ServiceBusBroker) -> None:
    for _ in range(2):
        await broker.publisher.publish(ENVELOPE, message_id="m-1")

    assert broker.double.active(broker.queue_name) == 1


async def test_a_lost_acknowledgement_is_reported_within_the_timeout_and_the_publisher_works_afterwards(
    broker: ServiceBusBroker,
) -> None:
    broker.double.misbehave(drop_acknowledgements=True)
    with pytest.raises(BrokerUnavailable, match="may or may not have stored"):
        await asyncio.wait_for(broker.publisher.publish(b"lost", message_id="m-1"), 4)
    broker.double.misbehave(drop_acknowledgements=False)

    await broker.publisher.publish(b"lost", message_id="m-1")
    await broker.publisher.publish(b"next", message_id="m-2")

    assert broker.double.active(broker.queue_name) == 2


async def test_a_namespace_that_says_nothing_is_given_up_on_and_found_again(broker: ServiceBusBroker) -> None:
    await broker.publisher.publish(b"before", message_id="m-1")
    broker.double.misbehave(stalled=True)
    for _ in range(2):
        with pytest.raises(BrokerUnavailable, match="did not confirm"):
            await asyncio.wait_for(broker.publisher.publish(b"paused", message_id="m-2"), 4)
    with pytest.raises(BrokerUnavailable):
        await asyncio.wait_for(broker.publisher.check(), 4)

    broker.double.misbehave(stalled=False)
    await broker.publisher.publish(b"after", message_id="m-3")


async def test_a_connection_whose_other_end_vanished_is_replaced(broker: ServiceBusBroker) -> None:
    await broker.publisher.publish(b"before", message_id="m-1")
    broker.double.silence_connections()
    with pytest.raises(BrokerUnavailable, match="did not confirm"):
        await broker.publisher.publish(b"lost", message_id="m-2")

    await broker.publisher.publish(b"after", message_id="m-3")

    assert broker.double.active(broker.queue_name) == 2


async def test_only_the_callers_of_a_failed_batch_hear_of_it(broker: ServiceBusBroker) -> None:
    await broker.publisher.publish(ENVELOPE, message_id="m-0")
    broker.double.misbehave(drop_acknowledgements=True)
    failing = asyncio.create_task(broker.publisher.publish(ENVELOPE, message_id="m-1"))
    while broker.double.counted["messages"] < 2:
        await asyncio.sleep(0.01)
    broker.double.misbehave(drop_acknowledgements=False)
    await asyncio.sleep(1)
    waiting = asyncio.create_task(broker.publisher.publish(ENVELOPE, message_id="m-2"))

    outcomes = await asyncio.gather(failing, waiting, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [BrokerUnavailable, type(None)]


async def test_a_caller_who_leaves_takes_no_other_envelope_along(broker: ServiceBusBroker) -> None:
    leaving = asyncio.create_task(broker.publisher.publish(b"left", message_id="m-1"))
    staying = asyncio.create_task(broker.publisher.publish(b"stayed", message_id="m-2"))
    await asyncio.sleep(0)
    leaving.cancel()

    await staying

    assert broker.double.active(broker.queue_name) >= 1


@pytest.mark.parametrize(
    ("switch", "sentence"),
    [
        ("busy", "throttling"),
        ("refuse_links", "role Azure Service Bus Data Sender"),
        ("refuse_tokens", "FRAUDSENSE_SERVICEBUS_CONNECTION"),
    ],
)
async def test_a_refusal_says_what_to_do_and_ends_with_its_cause(
    broker: ServiceBusBroker, switch: str, sentence: str
) -> None:
    broker.double.misbehave(**{switch: True})
    with pytest.raises(BrokerUnavailable, match=sentence):
        await broker.publisher.publish(ENVELOPE, message_id="m-1")

    broker.double.misbehave(**{switch: False})
    await broker.publisher.publish(ENVELOPE, message_id="m-1")


class VanishingAccess(ServiceBusAccess):
    """A namespace whose connections are aborted below the SDK."""

    def client(self):
        raise ConnectionAbortedError


async def test_a_connection_aborted_below_the_sdk_is_an_outage_like_others(queue_name: str) -> None:
    publisher = ServiceBusPublisher(VanishingAccess(queue_name, KEY))

    with pytest.raises(BrokerUnavailable, match="cannot be reached"):
        await publisher.publish(ENVELOPE, message_id="m-1")
    with pytest.raises(BrokerUnavailable, match="cannot be reached"):
        await publisher.check()


async def test_a_missing_queue_is_named(broker: ServiceBusBroker) -> None:
    broker.double.create_on_demand(False)
    publisher = ServiceBusPublisher(
        ServiceBusAccess("elsewhere", broker.double.connection_string), timedelta(seconds=3)
    )

    for attempt in (lambda: publisher.publish(ENVELOPE, message_id="m-1"), publisher.check):
        with pytest.raises(BrokerUnavailable, match="'elsewhere' does not exist"):
            await attempt()

    await publisher.close()


async def test_a_depth_that_cannot_be_read_says_which_right_it_needs() -> None:
    connection = f"Endpoint=sb://127.0.0.1:{free_port()};SharedAccessKeyName=k;SharedAccessKey=a2V5;"
    publisher = ServiceBusPublisher(ServiceBusAccess("q", connection), timedelta(seconds=1))

    with pytest.raises(BrokerUnavailable, match="role Azure Service Bus Data Owner"):
        await publisher.depth()


async def test_messages_are_json_and_carry_their_deliveries(broker: ServiceBusBroker) -> None:
    await broker.publisher.publish(ENVELOPE, message_id="m-1")

    async with (
        ServiceBusClient.from_connection_string(broker.double.connection_string) as client,
        client.get_queue_receiver(broker.queue_name) as receiver,
    ):
        (first,) = await receiver.receive_messages(max_message_count=1, max_wait_time=2)
        await receiver.abandon_message(first)
        (again,) = await receiver.receive_messages(max_message_count=1, max_wait_time=2)
        await receiver.complete_message(again)

    assert (first.content_type, first.delivery_count, again.delivery_count) == ("application/json", 0, 1)
    assert first.sequence_number == again.sequence_number == 1


async def test_a_message_delivered_too_often_is_a_dead_letter_with_the_reason(broker: ServiceBusBroker) -> None:
    broker.double.declare("short", Rules(max_deliveries=2))
    async with ServiceBusClient.from_connection_string(broker.double.connection_string) as client:
        async with client.get_queue_sender("short") as sender:
            await sender.send_messages(ServiceBusMessage(b"1", message_id="m-1"))
        async with client.get_queue_receiver("short") as receiver:
            for _ in range(2):
                (message,) = await receiver.receive_messages(max_message_count=1, max_wait_time=2)
                await receiver.abandon_message(message)
        async with client.get_queue_receiver("short", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
            (dead,) = await receiver.receive_messages(max_message_count=1, max_wait_time=2)
            await receiver.complete_message(dead)

    assert (body_of(dead), dead.dead_letter_reason) == (b"1", "MaxDeliveryCountExceeded")


async def test_an_expired_lock_is_lost_and_the_message_comes_again(broker: ServiceBusBroker) -> None:
    broker.double.declare("brief", Rules(lock_seconds=0.3))
    async with ServiceBusClient.from_connection_string(broker.double.connection_string) as client:
        async with client.get_queue_sender("brief") as sender:
            await sender.send_messages(ServiceBusMessage(b"1", message_id="m-1"))
        async with client.get_queue_receiver("brief") as receiver:
            (message,) = await receiver.receive_messages(max_message_count=1, max_wait_time=2)
            await asyncio.sleep(0.5)
            with pytest.raises(MessageLockLostError):
                await receiver.complete_message(message)
            (again,) = await receiver.receive_messages(max_message_count=1, max_wait_time=2)

    assert (again.message_id, again.delivery_count) == ("m-1", 1)


async def test_a_message_is_deleted_as_it_is_handed_out_where_that_is_asked_for(broker: ServiceBusBroker) -> None:
    await broker.publisher.publish(ENVELOPE, message_id="m-1")

    async with (
        ServiceBusClient.from_connection_string(broker.double.connection_string) as client,
        client.get_queue_receiver(
            broker.queue_name, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE
        ) as receiver,
    ):
        assert len(await receiver.receive_messages(max_message_count=1, max_wait_time=2)) == 1

    assert broker.double.active(broker.queue_name) == 0


async def test_the_double_takes_no_more_than_256_kib(broker: ServiceBusBroker) -> None:
    async with (
        ServiceBusClient.from_connection_string(broker.double.connection_string, retry_total=0) as client,
        client.get_queue_sender(broker.queue_name) as sender,
    ):
        with pytest.raises(MessageSizeExceededError):
            await sender.send_messages(ServiceBusMessage(b"x" * 256 * 1024), timeout=2)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "needs FRAUDSENSE_SERVICEBUS_CONNECTION"),
        ({"servicebus_namespace": "sb://n.servicebus.windows.net/"}, "<name>.servicebus.windows.net"),
        ({"servicebus_connection": "n.servicebus.windows.net"}, "is not a Service Bus connection string"),
        ({"servicebus_connection": f"{KEY};EntityPath=other"}, "is for 'other'"),
    ],
)
def test_settings_that_lead_nowhere_are_a_sentence(given: dict[str, str], sentence: str) -> None:
    settings = Settings(broker="servicebus", **cast("dict[str, str]", given))  # type: ignore[arg-type]

    with pytest.raises(UserError, match=sentence) as raised:
        publisher_for(settings)

    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    "given", [{"servicebus_connection": KEY}, {"servicebus_namespace": "n.servicebus.windows.net"}]
)
def test_a_publisher_is_made_without_any_connection(given: dict[str, str]) -> None:
    assert publisher_for(Settings(broker="servicebus", **given))  # type: ignore[arg-type]


def test_the_key_does_not_show_in_the_representation() -> None:
    assert "s3cret" not in repr(ServiceBusAccess("q", KEY))
