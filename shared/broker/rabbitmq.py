"""Publishing envelopes to RabbitMQ: persistent, mandatory, and confirmed by the broker."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from aio_pika import DeliveryMode, Message, connect
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, ChannelNotFoundEntity, DeliveryError, PublishError

from shared.broker.limits import refuse_oversized
from shared.deadline import within
from shared.domain.errors import BrokerUnavailable

CONFIRM_TIMEOUT = timedelta(seconds=5)
HEARTBEAT_SECONDS = 20

T = TypeVar("T")


def missing_queue(queue_name: str) -> BrokerUnavailable:
    """What to say where the queue does not exist: declaring it mends that, so it is not a refusal."""
    return BrokerUnavailable(
        f"The queue '{queue_name}' does not exist; declare it with: python -m shared.broker.topology"
    )


class RabbitMQPublisher:
    """Implements EnvelopePublisher over one long-lived connection and channel, opened by the first use.

    Belongs to one event loop: the one it is first used on. Making it does no I/O. After a failure the connection
    is dropped and the next use opens a new one.
    """

    def __init__(self, url: str, queue_name: str, timeout: timedelta = CONFIRM_TIMEOUT) -> None:
        self._url = url
        self._queue_name = queue_name
        self._timeout = timeout.total_seconds()
        self._opening = asyncio.Lock()
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._abandoned: set[asyncio.Task[Any]] = set()

    async def publish(self, envelope: bytes, *, message_id: str) -> None:
        """As EnvelopePublisher. A full queue and a missing queue are BrokerUnavailable: both can be mended."""
        refuse_oversized(envelope)
        message = Message(
            envelope,
            content_type="application/json",
            delivery_mode=DeliveryMode.PERSISTENT,
            message_id=message_id,
        )

        async def send() -> None:
            channel = await self._open_channel()
            await channel.default_exchange.publish(message, routing_key=self._queue_name, mandatory=True)

        await self._bounded(send)

    async def check(self) -> None:
        """As EnvelopePublisher."""
        await self.depth()

    async def depth(self) -> int:
        """As EnvelopePublisher; counts the messages that no consumer holds."""

        async def look() -> int:
            await self._open_channel()
            assert self._connection is not None  # noqa: S101 - opened above
            async with self._connection.channel() as channel:  # of its own: a missing queue closes it
                queue = await channel.declare_queue(self._queue_name, passive=True)
                return queue.declaration_result.message_count or 0

        return await self._bounded(look)

    async def close(self) -> None:
        """As EnvelopePublisher."""
        self._drop()
        if self._abandoned:
            await asyncio.wait(self._abandoned, timeout=self._timeout)

    async def _bounded(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do `work` within the timeout, its errors told apart by what the caller can do about them."""
        try:
            return await within(self._timeout, work())
        except (PublishError, ChannelNotFoundEntity) as error:
            raise missing_queue(self._queue_name) from error
        except DeliveryError as error:
            raise BrokerUnavailable(
                f"The queue '{self._queue_name}' is full or its broker refused the message; try again later."
            ) from error
        except TimeoutError as error:
            self._drop()
            raise BrokerUnavailable(
                f"RabbitMQ did not confirm within {self._timeout:g} s; it may or may not have stored the message."
            ) from error
        except CONNECTION_EXCEPTIONS as error:
            self._drop()
            raise BrokerUnavailable(f"RabbitMQ cannot be reached: {error}") from error

    async def _open_channel(self) -> AbstractChannel:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                self._drop()
                self._connection = await connect(self._url, heartbeat=HEARTBEAT_SECONDS)
                self._channel = await self._connection.channel(on_return_raises=True)
            return self._channel

    def _drop(self) -> None:
        """Forget the connection at once and close it in the background, as a stuck one takes its time."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            self._abandon(asyncio.ensure_future(_quietly(connection.close())))

    def _abandon(self, task: "asyncio.Task[Any]") -> None:
        """Keep a reference until the task ends: the event loop holds none."""
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)


async def _quietly(closing: Awaitable[None]) -> None:
    """A connection that fails while it is closed is closed."""
    try:
        await closing
    except CONNECTION_EXCEPTIONS:
        return
