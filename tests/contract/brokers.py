"""The brokers under one contract: a queue of the test's own, and a way to take the broker away and back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

from aio_pika import connect
from aio_pika.abc import AbstractIncomingMessage

from shared.broker.memory import Delivery, MemoryPublisher, MemoryQueue
from shared.broker.rabbitmq import RabbitMQPublisher
from shared.broker.topology import Topology, declare
from shared.ports import EnvelopePublisher


@dataclass(frozen=True)
class Received:
    """One message as a consumer sees it, with the ways to settle it."""

    body: bytes
    message_id: str | None
    complete: Callable[[], Awaitable[Any]]
    put_back: Callable[[], Awaitable[Any]]
    reject: Callable[[], Awaitable[Any]]


class Broker(Protocol):
    """What the contract needs of a broker."""

    publisher: EnvelopePublisher

    async def receive(self) -> Received | None:
        """The oldest waiting message, or None where none comes soon."""

    async def dead_letters(self) -> list[bytes]:
        """Bodies of the dead letters, waiting a little for the first."""

    async def take_away(self) -> None:
        """Make the broker unreachable."""

    async def bring_back(self) -> None:
        """Make it reachable again."""


class MemoryBroker:
    """The in-memory queue."""

    def __init__(self, max_length: int) -> None:
        self.queue = MemoryQueue(max_length)
        self.publisher: EnvelopePublisher = MemoryPublisher(self.queue)

    async def receive(self) -> Received | None:
        delivery = self.queue.receive()
        return None if delivery is None else self._received(delivery)

    async def dead_letters(self) -> list[bytes]:
        return [each.body for each in self.queue.dead_letters]

    async def take_away(self) -> None:
        self.queue.available = False

    async def bring_back(self) -> None:
        self.queue.available = True

    def _received(self, delivery: Delivery) -> Received:
        async def settle(how: Callable[[Delivery], None]) -> None:
            how(delivery)

        return Received(
            delivery.body,
            delivery.message_id,
            lambda: settle(self.queue.complete),
            lambda: settle(self.queue.put_back),
            lambda: settle(self.queue.reject),
        )


class Proxy:
    """A TCP proxy that can swallow everything (a paused broker) or refuse connections (a stopped one)."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._pipes: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for pipe in self._pipes:
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    def stall(self) -> None:
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(*self._target)
        for source, sink in ((reader, inner_writer), (inner_reader, writer)):
            pipe = asyncio.ensure_future(self._pipe(source, sink))
            self._pipes.add(pipe)
            pipe.add_done_callback(self._pipes.discard)

    async def _pipe(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            try:
                while data := await source.read(65536):
                    await self._flowing.wait()
                    sink.write(data)
                    await sink.drain()
            finally:
                sink.close()


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy before a RabbitMQ, and the URL that leads through it."""
    parts = urlsplit(url)
    proxy = Proxy(parts.hostname or "127.0.0.1", parts.port or 5672)
    await proxy.start()
    via = parts._replace(netloc=f"{parts.netloc.rsplit('@', 1)[0]}@127.0.0.1:{proxy.port}")
    try:
        yield proxy, urlunsplit(via)
    finally:
        proxy.flow()
        await proxy.stop()


class RabbitMQBroker:
    """A real RabbitMQ, the publisher going through a proxy."""

    def __init__(self, url: str, queue_name: str, proxy: Proxy, proxied_url: str) -> None:
        self.proxy, self.proxied_url = proxy, proxied_url
        self.publisher: EnvelopePublisher = RabbitMQPublisher(
            self.proxied_url, queue_name, timeout=timedelta(seconds=2)
        )
        self._url, self._names = url, Topology(queue_name, "quorum", 1)

    async def open(self) -> None:
        self._connection = await connect(self._url)
        self._channel = await self._connection.channel()

    async def close(self) -> None:
        await self.publisher.close()
        for name in (self._names.queue, self._names.dead_queue):
            await self._channel.queue_delete(name)
        await self._channel.exchange_delete(self._names.dead_exchange)
        await self._connection.close()

    async def receive(self) -> Received | None:
        message = await self._get(self._names.queue)
        if message is None:
            return None
        return Received(
            message.body,
            message.message_id,
            message.ack,
            lambda: message.nack(requeue=True),
            lambda: message.reject(requeue=False),
        )

    async def dead_letters(self) -> list[bytes]:
        found = []
        while (message := await self._get(self._names.dead_queue)) is not None:
            found.append(message.body)
            await message.ack()
        return found

    async def take_away(self) -> None:
        await self.proxy.stop()

    async def bring_back(self) -> None:
        await self.proxy.start()

    async def _get(self, name: str) -> AbstractIncomingMessage | None:
        """A quorum queue needs a moment between a confirm and the first delivery."""
        queue = await self._channel.get_queue(name, ensure=False)
        for _ in range(20):
            if (message := await queue.get(fail=False)) is not None:
                return message
            await asyncio.sleep(0.02)
        return None


@asynccontextmanager
async def rabbitmq_broker(
    url: str, queue_name: str, queue_type: str, max_length: int
) -> AsyncIterator[RabbitMQBroker]:
    """A declared queue with its broker, deleted afterwards."""
    await declare(url, queue_name, queue_type, max_length)  # type: ignore[arg-type]
    async with proxied(url) as (proxy, proxied_url):
        broker = RabbitMQBroker(url, queue_name, proxy, proxied_url)
        await broker.open()
        try:
            yield broker
        finally:
            proxy.flow()
            await broker.close()
