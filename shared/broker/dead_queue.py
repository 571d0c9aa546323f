"""RabbitMQ's queue of dead letters: its properties, and what becomes of one that an earlier version made."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, ChannelClosed, ChannelPreconditionFailed
from pamqp.common import FieldValue

LOOKS_ARE_FREE = 1_000_000_000
"""Looks count as deliveries, a quorum queue deletes beyond its limit, and RabbitMQ 4 has 20 for a default."""

EARLIER_SHAPE = (
    "'{name}' was made by an earlier version, without a delivery limit of its own: RabbitMQ 4 deletes a letter "
    "that was looked at 20 times, and a look changes the order. Redrive or purge its letters, then run: "
    "python -m shared.broker.topology"
)


class DeadLettersHeld(Exception):
    """Somebody else holds the dead letters of a queue of the earlier shape."""


def dead_arguments(queue_type: str) -> dict[str, FieldValue]:
    """The arguments of a queue of dead letters."""
    earlier: dict[str, FieldValue] = {"x-queue-type": queue_type}
    return earlier | {"x-delivery-limit": LOOKS_ARE_FREE} if queue_type == "quorum" else earlier


async def declare_dead_queue(connection: AbstractConnection, name: str, exchange: str, queue_type: str) -> str:
    """Declare and bind it; one of the earlier shape is replaced if it is empty, else kept and the answer says so.

    Raises ChannelPreconditionFailed where one with still other properties exists.
    """
    notice = ""
    if await has_earlier_shape(connection, name, queue_type):
        notice = await _replaced(connection, name, exchange, queue_type)
    if not notice:
        async with connection.channel() as channel:
            await channel.declare_queue(name, durable=True, arguments=dead_arguments(queue_type))
    await _bind(connection, name, exchange)
    return notice


async def has_earlier_shape(connection: AbstractConnection, name: str, queue_type: str) -> bool:
    """Whether the queue exists and lacks only the delivery limit. A missing queue is declared."""
    try:
        async with connection.channel() as channel:
            await channel.declare_queue(name, durable=True, arguments=dead_arguments(queue_type))
    except ChannelPreconditionFailed:
        async with connection.channel() as channel:
            await channel.declare_queue(name, durable=True, arguments={"x-queue-type": queue_type})
        return True
    return False


@asynccontextmanager
async def holding(connection: AbstractConnection, name: str) -> AsyncIterator[None]:
    """Keep others from taking letters of this queue or replacing it: letters in their hands are in no count.

    Raises DeadLettersHeld. A connection that is lost holds nothing any more.
    """
    mark = f"{name}.held"
    try:
        async with connection.channel() as channel:
            await channel.declare_queue(mark, exclusive=True)
    except ChannelClosed as error:
        raise DeadLettersHeld from error
    try:
        yield
    finally:
        with suppress(*CONNECTION_EXCEPTIONS):
            async with connection.channel() as channel:
                await channel.queue_delete(mark)


async def _replaced(connection: AbstractConnection, name: str, exchange: str, queue_type: str) -> str:
    """Replace the queue where it holds nothing; else why not. Letters that come meanwhile wait where they are."""
    try:
        async with holding(connection, name), connection.channel() as channel:
            queue = await channel.get_queue(name, ensure=False)
            await queue.unbind(exchange)
            if not await _is_idle(channel, name):
                return EARLIER_SHAPE.format(name=name)
            await channel.queue_delete(name)
            await channel.declare_queue(name, durable=True, arguments=dead_arguments(queue_type))
    except DeadLettersHeld:
        return EARLIER_SHAPE.format(name=name)
    return ""


async def _is_idle(channel: AbstractChannel, name: str) -> bool:
    """Whether it holds nothing and nobody consumes it; a quorum queue's count lags behind, an attempt does not."""
    queue = await channel.declare_queue(name, passive=True)
    letter = await queue.get(fail=False)
    if letter is not None:
        await letter.nack(requeue=True)
    return letter is None and not queue.declaration_result.consumer_count


async def _bind(connection: AbstractConnection, name: str, exchange: str) -> None:
    async with connection.channel() as channel:
        queue = await channel.get_queue(name, ensure=False)
        await queue.bind(exchange)
