"""The dead letters of RabbitMQ. There is no way to peek: letters are taken unacknowledged and handed back."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from aio_pika.abc import AbstractConnection, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, ChannelNotFoundEntity, ChannelPreconditionFailed
from aiormq.abc import AbstractChannel as UnderlayChannel

from shared.broker.dead_queue import EARLIER_SHAPE, DeadLettersHeld, has_earlier_shape, holding
from shared.broker.rabbitmq import missing_queue
from shared.broker.topology import Topology, connected
from shared.dead_letters import DeadLetter, Selection, Waiting, plain_id
from shared.deadline import within
from shared.domain.errors import BrokerUnavailable

SHOWN_IN_ORDER = 500
"""So many of the oldest letters are taken at least: what is handed back goes behind others handed back before, so
that looks of different depths would change the order."""
GET_SECONDS = 5
BACK_SECONDS = 2
UNANSWERED = 16
REQUEUE_COUNT = "x-ms-rabbitmq-requeuecount"
LOOKS = "x-delivery-count"


@dataclass(frozen=True, slots=True)
class _Walk:
    """A channel with the delivery tags that are neither acknowledged nor handed back, oldest first."""

    channel: UnderlayChannel
    queue_name: str
    tags: dict[int, None]


class RabbitMQDeadLetters:
    """Implements DeadLetters over one connection, opened by the first use; one `take` at a time."""

    def __init__(self, url: str, topology: Topology) -> None:
        self._url = url
        self._topology = topology
        self._connection: AbstractConnection | None = None
        self._walk: _Walk | None = None

    async def waiting(self) -> Waiting:
        """As DeadLetters."""
        with self._answering():
            connection = await self._open()
        async with self._answering_soon():
            notice = await self._notice(connection)
            async with connection.channel() as channel:
                queue = await channel.declare_queue(self._topology.dead_queue, passive=True)
            return Waiting(queue.declaration_result.message_count or 0, notice)

    async def look(self, selection: Selection, limit: int) -> list[DeadLetter]:
        """As DeadLetters; the order is kept among the oldest SHOWN_IN_ORDER."""
        found: list[DeadLetter] = []
        async with aclosing(self.take(selection)) as letters:
            async for letter in letters:
                found.append(letter)
                if len(found) >= limit:
                    break
        return found

    async def take(self, selection: Selection) -> AsyncGenerator[DeadLetter]:
        """As DeadLetters. Raises BrokerUnavailable as well where others hold a queue of the earlier shape."""
        async with self._walking() as (walk, queue):
            first = await self._next(walk, queue)
            if first is None:
                return
            self._walk, left = walk, first.message_count or 0
            now, later = min(left, SHOWN_IN_ORDER - 1), max(0, left - SHOWN_IN_ORDER + 1)
            window = [first, *[message async for message in self._messages(walk, queue, now)]]
            for message in window:
                if selection.takes(letter := _letter(message)):
                    yield letter
            async for message in self._messages(walk, queue, later):
                if selection.takes(letter := _letter(message)):
                    yield letter

    async def remove(self, letter: DeadLetter) -> None:
        """As DeadLetters."""
        assert self._walk is not None  # noqa: S101 - see the protocol
        assert isinstance(letter.handle, int)  # noqa: S101
        with self._answering():
            await self._walk.channel.basic_ack(letter.handle)
        del self._walk.tags[letter.handle]

    async def close(self) -> None:
        """As DeadLetters."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await _quietly(connection.close)

    @asynccontextmanager
    async def _walking(self) -> AsyncIterator[tuple[_Walk, AbstractQueue]]:
        """A channel of its own; what is still in hand when it ends is handed back in order."""
        name = self._topology.dead_queue
        async with AsyncExitStack() as stack:
            with self._answering():
                connection = await self._open()
            async with self._answering_soon():
                if await self._notice(connection):
                    await stack.enter_async_context(holding(connection, name))
                channel = await connection.channel()
                stack.push_async_callback(_quietly, channel.close)
                queue = await channel.get_queue(name, ensure=False)
                walk = _Walk(await channel.get_underlay_channel(), name, {})
            stack.push_async_callback(_hand_back, walk)
            yield walk, queue

    async def _messages(
        self, walk: _Walk, queue: AbstractQueue, at_most: int
    ) -> AsyncIterator[AbstractIncomingMessage]:
        for _ in range(at_most):
            message = await self._next(walk, queue)
            if message is None:
                return
            yield message

    async def _next(self, walk: _Walk, queue: AbstractQueue) -> AbstractIncomingMessage | None:
        """The next letter, with the exact count of those behind it: a quorum queue's other counts lag behind."""
        with self._answering():
            message = await queue.get(fail=False, timeout=GET_SECONDS)
        if message is not None and message.delivery_tag is not None:
            walk.tags[message.delivery_tag] = None
        return message

    async def _open(self) -> AbstractConnection:
        if self._connection is None or self._connection.is_closed:
            self._connection = await connected(self._url)
        return self._connection

    async def _notice(self, connection: AbstractConnection) -> str:
        name = self._topology.dead_queue
        async with connection.channel() as channel:
            await channel.declare_queue(name, passive=True)  # looking makes no queue
        try:
            earlier = await has_earlier_shape(connection, name, self._topology.queue_type)
        except ChannelPreconditionFailed:
            return ""  # of another kind altogether; declaring it says what to do
        return EARLIER_SHAPE.format(name=name) if earlier else ""

    @asynccontextmanager
    async def _answering_soon(self) -> AsyncIterator[None]:
        """For calls that the library would wait for without end."""
        with self._answering():
            async with asyncio.timeout(GET_SECONDS):
                yield

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except DeadLettersHeld as error:
            raise BrokerUnavailable(
                f"Somebody else reads '{self._topology.dead_queue}' just now; try again when that is done."
            ) from error
        except ChannelNotFoundEntity as error:
            raise missing_queue(self._topology.dead_queue) from error
        except TimeoutError as error:
            raise BrokerUnavailable("RabbitMQ does not answer; try again.") from error
        except CONNECTION_EXCEPTIONS as error:
            raise BrokerUnavailable(f"RabbitMQ cannot be reached: {error}") from error


async def _quietly(close: Callable[[], Awaitable[None]]) -> None:
    """What fails while it is closed, or whose broker is silent, is as good as closed."""

    async def closing() -> None:
        await close()

    with suppress(*CONNECTION_EXCEPTIONS, TimeoutError):
        await within(BACK_SECONDS, closing())


async def _hand_back(walk: _Walk) -> None:
    """In order: not all in one command nor many unanswered, which the broker shuffles.

    Not by reject, which RabbitMQ 4.3 counts as a failure. Others may take at once what was handed back, and then
    it cannot be seen: after BACK_SECONDS order matters no more.
    """
    with suppress(*CONNECTION_EXCEPTIONS, TimeoutError):  # a broker that lost us has them back already
        for number, tag in enumerate(walk.tags, start=1):
            await walk.channel.basic_nack(tag, requeue=True)
            if number % UNANSWERED == 0 or number == len(walk.tags):
                async with asyncio.timeout(BACK_SECONDS):
                    await _until_ready(walk, number)


async def _until_ready(walk: _Walk, letters: int) -> None:
    while ((await walk.channel.queue_declare(walk.queue_name, passive=True)).message_count or 0) < letters:
        await asyncio.sleep(0.005)


def _letter(message: AbstractIncomingMessage) -> DeadLetter:
    death = _last_death(message.headers)
    runs = message.headers.get(REQUEUE_COUNT)
    since = death.get("time")
    return DeadLetter(
        letter_id=plain_id(message.message_id) or f"sha256-{sha256(message.body).hexdigest()[:16]}",
        reason=str(death.get("reason", "unknown")),
        detail=f"The function failed in {runs + 1} runs." if isinstance(runs, int) else "",
        since=since if isinstance(since, datetime) else None,
        body=message.body,
        envelope=message.body,
        properties={name: value for name, value in message.headers.items() if name != LOOKS},
        handle=message.delivery_tag,
    )


def _last_death(headers: Mapping[str, object]) -> Mapping[str, object]:
    """RabbitMQ puts the latest first."""
    deaths = headers.get("x-death")
    return deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
