"""The keepers of dead letters under one contract: how a test buries letters in each and sees what is redriven."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol
from uuid import uuid4

from aio_pika import DeliveryMode, Message, connect
from aio_pika.abc import AbstractChannel
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from shared.broker.memory import MemoryPublisher, MemoryQueue
from shared.broker.memory_dead_letters import MemoryDeadLetters
from shared.broker.rabbitmq import RabbitMQPublisher
from shared.broker.rabbitmq_dead_letters import RabbitMQDeadLetters
from shared.broker.service_bus import ServiceBusPublisher
from shared.broker.service_bus_access import ServiceBusAccess
from shared.broker.service_bus_dead_letters import ServiceBusDeadLetters
from shared.broker.topology import QueueType, Topology, declare
from shared.database.engine import async_engine
from shared.database.recorder import PostgresRecorder
from shared.database.rejected import RejectedLetters
from shared.dead_letters import DeadLetters, Selection
from shared.domain.books import UNREADABLE
from shared.domain.decision import RejectedMessage
from shared.ports import EnvelopePublisher

EVERYTHING = Selection()


class Keeper(Protocol):
    """What the contract needs: the letters, another reader of the same, the way back and what went it."""

    publisher: EnvelopePublisher

    def letters(self) -> DeadLetters:
        """A reader of its own connection."""

    async def bury(self, *bodies: bytes) -> None:
        """Make dead letters of these, in order; returns once they are."""

    async def published(self) -> list[bytes]:
        """Bodies that wait in the queue; they are taken."""


@dataclass
class MemoryKeeper:
    """The queue in memory."""

    queue: MemoryQueue = field(default_factory=MemoryQueue)

    def __post_init__(self) -> None:
        self.publisher: EnvelopePublisher = MemoryPublisher(self.queue)

    def letters(self) -> DeadLetters:
        return MemoryDeadLetters(self.queue)

    async def bury(self, *bodies: bytes) -> None:
        for body in bodies:
            self.queue.put(body, uuid4().hex)
            delivery = self.queue.receive()
            assert delivery
            self.queue.reject(delivery)

    async def published(self) -> list[bytes]:
        return _drained(self.queue)


@dataclass
class RabbitMQKeeper:
    """A real RabbitMQ."""

    url: str
    topology: Topology
    publisher: EnvelopePublisher
    channel: AbstractChannel
    opened: list[RabbitMQDeadLetters] = field(default_factory=list)

    def letters(self) -> RabbitMQDeadLetters:
        self.opened.append(RabbitMQDeadLetters(self.url, self.topology))
        return self.opened[-1]

    async def bury(self, *bodies: bytes) -> None:
        for number, body in enumerate(bodies, start=await self._waiting(self.topology.dead_queue) + 1):
            await self.put(body)
            message = await self._get(self.topology.queue)
            await message.reject(requeue=False)
            async with asyncio.timeout(10):
                while await self._waiting(self.topology.dead_queue) < number:
                    await asyncio.sleep(0.01)

    async def put(self, *bodies: bytes, headers: dict[str, int] | None = None) -> None:
        for body in bodies:
            message = Message(
                body, message_id=uuid4().hex, delivery_mode=DeliveryMode.PERSISTENT, headers=headers or {}
            )
            await self.channel.default_exchange.publish(message, self.topology.queue)

    async def published(self) -> list[bytes]:
        return [each.body for each in await self.messages()]

    async def messages(self) -> list:
        """What waits in the queue; it is taken."""
        count = await self._waiting(self.topology.queue)
        messages = [await self._get(self.topology.queue) for _ in range(count)]
        for each in messages:
            await each.ack()
        return messages

    async def _waiting(self, name: str) -> int:
        queue = await self.channel.declare_queue(name, passive=True)
        return queue.declaration_result.message_count or 0

    async def _get(self, name: str):
        queue = await self.channel.get_queue(name, ensure=False)
        async with asyncio.timeout(5):
            while (message := await queue.get(fail=False)) is None:
                await asyncio.sleep(0.02)
        return message


@dataclass
class ServiceBusKeeper:
    """The test double of Service Bus."""

    access: ServiceBusAccess
    client: ServiceBusClient
    publisher: EnvelopePublisher
    opened: list[ServiceBusDeadLetters] = field(default_factory=list)

    def letters(self) -> ServiceBusDeadLetters:
        self.opened.append(ServiceBusDeadLetters(self.access))
        return self.opened[-1]

    async def bury(self, *bodies: bytes) -> None:
        async with (
            self.client.get_queue_sender(self.access.queue_name) as sender,
            self.client.get_queue_receiver(self.access.queue_name) as receiver,
        ):
            for body in bodies:
                await sender.send_messages(ServiceBusMessage(body, message_id=uuid4().hex))
                [message] = await receiver.receive_messages(1, max_wait_time=5)
                await receiver.dead_letter_message(message, reason="rejected", error_description="as a test wants")

    async def published(self) -> list[bytes]:
        return [b"".join(message.body) for message in await self.messages()]

    async def messages(self) -> list:
        """What waits in the queue; it is taken."""
        taken = []
        async with self.client.get_queue_receiver(self.access.queue_name) as receiver:
            while messages := await receiver.receive_messages(50, max_wait_time=1):
                for message in messages:
                    await receiver.complete_message(message)
                taken += messages
        return taken


@dataclass
class QuarantineKeeper:
    """The table, as score fills it; what is redriven goes to a queue in memory."""

    url: str
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    engines: list = field(default_factory=list)

    def __post_init__(self) -> None:
        self.publisher: EnvelopePublisher = MemoryPublisher(self.queue)
        self.recorder = PostgresRecorder(self.url)

    def letters(self) -> DeadLetters:
        self.engines.append(async_engine(self.url))
        return RejectedLetters(self.engines[-1])

    async def bury(self, *bodies: bytes) -> None:
        for body in bodies:
            await asyncio.to_thread(self.reject, RejectedMessage(UNREADABLE, "not an envelope", body))

    def reject(self, message: RejectedMessage) -> None:
        self.recorder.record([], [message])

    async def published(self) -> list[bytes]:
        return _drained(self.queue)


def _drained(queue: MemoryQueue) -> list[bytes]:
    bodies = []
    while delivery := queue.receive():
        queue.complete(delivery)
        bodies.append(delivery.body)
    return bodies


@asynccontextmanager
async def rabbitmq_keeper(url: str, name: str, queue_type: QueueType) -> AsyncIterator[RabbitMQKeeper]:
    """A declared queue of the test's own, deleted afterwards."""
    topology = Topology(name, queue_type, 10_000)
    await declare(url, name, queue_type, 10_000)
    async with await connect(url) as connection:
        channel = await connection.channel()
        keeper = RabbitMQKeeper(url, topology, RabbitMQPublisher(url, name), channel)
        try:
            yield keeper
        finally:
            await keeper.publisher.close()
            for each in keeper.opened:
                await each.close()
            for queue in (topology.queue, topology.dead_queue):
                await channel.queue_delete(queue)
            await channel.exchange_delete(topology.dead_exchange)


@asynccontextmanager
async def service_bus_keeper(connection: str, name: str) -> AsyncIterator[ServiceBusKeeper]:
    """A queue of the test's own, made by its first use."""
    access = ServiceBusAccess(name, connection)
    async with access.client() as client:
        keeper = ServiceBusKeeper(access, client, ServiceBusPublisher(access))
        try:
            yield keeper
        finally:
            await keeper.publisher.close()
            for each in keeper.opened:
                await each.close()


@asynccontextmanager
async def quarantine_keeper(url: str) -> AsyncIterator[QuarantineKeeper]:
    """The table of the test's database, emptied before."""
    keeper = QuarantineKeeper(url)
    engine = async_engine(url)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("TRUNCATE rejected_messages")
    try:
        yield keeper
    finally:
        keeper.recorder.close()
        for each in (engine, *keeper.engines):
            await each.dispose()
