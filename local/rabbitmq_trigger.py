"""The RabbitMQ trigger as the Functions host's extension runs it: one message at a time, settled by its rules."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from aio_pika import connect
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from local.stopping import pause
from shared.telemetry.logs import Event, log

REQUEUE_COUNT_HEADER = "x-ms-rabbitmq-requeuecount"
MAX_RUNS = 5
CONNECT_TIMEOUT = timedelta(seconds=5)
CONFIRM_TIMEOUT = timedelta(seconds=10)
HEARTBEAT_SECONDS = 20

logger = logging.getLogger(__name__)

Inbox = asyncio.Queue[AbstractIncomingMessage | None]


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """The function succeeded: the message is done with."""


@dataclass(frozen=True, slots=True)
class Republish:
    """The function failed: a copy goes to the tail of the queue, its header set to `requeue_count`."""

    requeue_count: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """The function failed for the last time: the message is rejected."""


Settlement = Acknowledge | Republish | DeadLetter


def settlement(*, succeeded: bool, requeue_count: int) -> Settlement:
    """What the extension does after a run of a message that was republished `requeue_count` times before."""
    if succeeded:
        return Acknowledge()
    return Republish(requeue_count + 1) if requeue_count + 1 < MAX_RUNS else DeadLetter()


class RabbitMQTrigger:
    """Runs `invoke` with the body of each message of a queue, in a thread of its own.

    `prefetch` messages are buffered, one is in flight. A connection that is lost is opened again for ever; what
    was not settled by then, or when it stops, goes back to the queue.
    """

    def __init__(self, url: str, queue_name: str, prefetch: int, invoke: Callable[[bytes], None]) -> None:
        self._url = url
        self._queue_name = queue_name
        self._prefetch = prefetch
        self._invoke = invoke
        self._away = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="function")

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop`, then settle the message in hand and return.

        Where the function fails once it was asked to stop, nothing is settled: the queue has the message again.
        """
        while not stop.is_set():
            try:
                await self._consume(stop)
                reason = "the connection or the consumer was closed"
            except (TimeoutError, *CONNECTION_EXCEPTIONS) as error:
                reason = str(error) or "no answer"
            if not stop.is_set():
                if not self._away:
                    log(logger, logging.WARNING, Event.SERVICE_AWAY, service="rabbitmq", detail=reason)
                self._away = True
                await pause(stop)

    async def _consume(self, stop: asyncio.Event) -> None:
        async with await _connected(self._url) as connection:
            channel = await connection.channel(on_return_raises=True)
            inbox = await self._subscribe(channel)
            stopping = asyncio.ensure_future(stop.wait())
            stopping.add_done_callback(lambda _: inbox.put_nowait(None))
            try:
                while (message := await inbox.get()) and not stop.is_set() and not channel.is_closed:
                    await self._handle(message, channel, stop)
            finally:
                stopping.cancel()

    async def _subscribe(self, channel: AbstractChannel) -> Inbox:
        """The messages as they come; None once no more will come over this channel."""
        inbox: Inbox = asyncio.Queue()
        await channel.set_qos(prefetch_count=self._prefetch)
        queue = await channel.declare_queue(self._queue_name, passive=True)
        channel.close_callbacks.add(lambda *_: inbox.put_nowait(None))
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(lambda _: inbox.put_nowait(None))
        await queue.consume(inbox.put)
        if self._away:
            log(logger, logging.INFO, Event.SERVICE_BACK, service="rabbitmq", queue=self._queue_name)
            self._away = False
        return inbox

    async def _handle(
        self, message: AbstractIncomingMessage, channel: AbstractChannel, stop: asyncio.Event
    ) -> None:
        running = asyncio.get_running_loop().run_in_executor(self._thread, self._invoke, message.body)
        await asyncio.wait({running})
        error = running.exception()
        if error is not None and stop.is_set():
            log(logger, logging.WARNING, Event.ENVELOPE_PUT_BACK, str(error))
            return
        if error is not None:
            logger.error("The function failed.", exc_info=error, extra={"event": Event.UNEXPECTED_ERROR})
        match settlement(succeeded=error is None, requeue_count=_requeue_count(message)):
            case Acknowledge():
                await message.ack()
            case Republish(count):
                message.headers[REQUEUE_COUNT_HEADER] = count
                await channel.default_exchange.publish(
                    message, self._queue_name, timeout=CONFIRM_TIMEOUT.total_seconds()
                )
                await message.ack()
            case DeadLetter():
                await message.reject(requeue=False)


async def _connected(url: str) -> AbstractConnection:
    return await asyncio.wait_for(connect(url, heartbeat=HEARTBEAT_SECONDS), CONNECT_TIMEOUT.total_seconds())


def _requeue_count(message: AbstractIncomingMessage) -> int:
    count = message.headers.get(REQUEUE_COUNT_HEADER)
    return count if isinstance(count, int) else 0
