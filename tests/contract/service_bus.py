"""Service Bus under the brokers' contract: the real SDK, over AMQP, to the double or to a real namespace."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from azure.core.pipeline.transport import AioHttpTransport
from azure.servicebus import ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver
from azure.servicebus.aio.management import ServiceBusAdministrationClient

from shared.broker.service_bus import ServiceBusPublisher
from shared.broker.service_bus_access import ServiceBusAccess
from shared.ports import EnvelopePublisher
from tests.contract.brokers import Received
from tests.servicebus import NEEDS_PROTON
from tests.servicebus.queues import Rules

if TYPE_CHECKING:
    from tests.servicebus.double import ServiceBusDouble

CONNECTION_VARIABLE, QUEUE_VARIABLE = "FRAUDSENSE_TEST_SERVICEBUS_CONNECTION", "FRAUDSENSE_TEST_SERVICEBUS_QUEUE"
SOON_SECONDS = 0.5


class PlainHttp(AioHttpTransport):
    """The administration client speaks HTTPS only; the double answers HTTP."""

    async def send(self, request: Any, **options: Any) -> Any:
        request.url = request.url.replace("https://", "http://", 1)
        return await super().send(request, **options)


class AccessToDouble(ServiceBusAccess):
    """Reaches the double's administration too."""

    @asynccontextmanager
    async def administration(self) -> AsyncIterator[ServiceBusAdministrationClient]:
        async with ServiceBusAdministrationClient.from_connection_string(
            self.connection, transport=PlainHttp(), retry_total=0
        ) as client:
            yield client


class Receiving:
    """Receives from a queue and its dead letters."""

    def __init__(self, connection: str, queue_name: str) -> None:
        self._client = ServiceBusClient.from_connection_string(connection, retry_total=1)
        self._queue_name = queue_name
        self._receiver: ServiceBusReceiver | None = None

    async def receive(self) -> Received | None:
        if self._receiver is None:
            self._receiver = await self._client.get_queue_receiver(self._queue_name).__aenter__()
        receiver = self._receiver
        messages = await receiver.receive_messages(max_message_count=1, max_wait_time=SOON_SECONDS)
        return _received(receiver, messages[0]) if messages else None

    async def dead_letters(self) -> list[bytes]:
        async with self._client.get_queue_receiver(
            self._queue_name, sub_queue=ServiceBusSubQueue.DEAD_LETTER
        ) as receiver:
            found = await receiver.receive_messages(max_message_count=100, max_wait_time=SOON_SECONDS)
            for message in found:
                await receiver.complete_message(message)
            return [body_of(message) for message in found]

    async def reconnect(self) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            await receiver.close()

    async def close(self) -> None:
        await self.reconnect()
        await self._client.close()


class ServiceBusBroker:
    """The double, which can be taken away."""

    def __init__(self, double: "ServiceBusDouble", queue_name: str) -> None:
        self.double, self.queue_name = double, queue_name
        self.access = AccessToDouble(queue_name, double.connection_string)
        self.publisher: EnvelopePublisher = ServiceBusPublisher(self.access, timeout=timedelta(seconds=3))
        self._receiving = Receiving(double.connection_string, queue_name)

    async def receive(self) -> Received | None:
        return await self._receiving.receive()

    async def dead_letters(self) -> list[bytes]:
        return await self._receiving.dead_letters()

    async def take_away(self) -> None:
        await asyncio.to_thread(self.double.stop)

    async def bring_back(self) -> None:
        await asyncio.to_thread(self.double.start)
        await self._receiving.reconnect()

    async def close(self) -> None:
        await self.publisher.close()
        await self._receiving.close()


class AzureBroker:
    """A real namespace. Message ids are made unique: its duplicate detection remembers those of other runs."""

    def __init__(self, connection: str, queue_name: str) -> None:
        self._ids = f"{uuid4().hex}:"
        self._publisher = ServiceBusPublisher(ServiceBusAccess(queue_name, connection))
        self.publisher: EnvelopePublisher = self
        self._receiving = Receiving(connection, queue_name)
        self.check, self.depth = self._publisher.check, self._publisher.depth

    async def publish(self, envelope: bytes, *, message_id: str) -> None:
        await self._publisher.publish(envelope, message_id=self._ids + message_id)

    async def close(self) -> None:
        await self._publisher.close()

    async def receive(self) -> Received | None:
        message = await self._receiving.receive()
        return message and replace(message, message_id=str(message.message_id).removeprefix(self._ids))

    async def dead_letters(self) -> list[bytes]:
        return await self._receiving.dead_letters()

    async def take_away(self) -> None:
        pytest.skip("a real namespace cannot be taken away")

    async def bring_back(self) -> None:
        """It was never away."""

    async def empty(self) -> None:
        """Remove what an earlier run left."""
        while (message := await self._receiving.receive()) is not None:
            await message.complete()
        while await self._receiving.dead_letters():
            pass

    async def end(self) -> None:
        await self.close()
        await self._receiving.close()


def body_of(message: ServiceBusReceivedMessage) -> bytes:
    """The message's bytes."""
    return b"".join(message.body)


@asynccontextmanager
async def service_bus_broker(queue_name: str, max_length: int) -> AsyncIterator[ServiceBusBroker]:
    """A double with a queue that holds so many messages; skips where it cannot run."""
    pytest.importorskip("proton", reason=NEEDS_PROTON)
    from tests.servicebus.double import running_double  # noqa: PLC0415 - needs proton

    with running_double() as double:
        double.declare(queue_name, Rules(max_messages=max_length))
        broker = ServiceBusBroker(double, queue_name)
        try:
            yield broker
        finally:
            double.misbehave(stalled=False)
            await broker.close()


@asynccontextmanager
async def azure_broker(max_length: int) -> AsyncIterator[AzureBroker]:
    """The queue that the environment names, emptied."""
    if CONNECTION_VARIABLE not in os.environ:
        pytest.skip(f"{CONNECTION_VARIABLE} is not set")
    if max_length == 1:
        pytest.skip("a real queue is not filled up")
    broker = AzureBroker(os.environ[CONNECTION_VARIABLE], os.environ.get(QUEUE_VARIABLE, "transactions"))
    try:
        await broker.empty()
        yield broker
    finally:
        await broker.end()


def _received(receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage) -> Received:
    return Received(
        body_of(message),
        message.message_id,
        lambda: receiver.complete_message(message),
        lambda: receiver.abandon_message(message),
        lambda: receiver.dead_letter_message(message, reason="test"),
    )
