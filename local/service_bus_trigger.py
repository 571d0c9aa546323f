"""The Service Bus trigger as the Functions host's extension runs it: one batch at a time, settled as a whole."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import azure.functions as func
from azure.core.exceptions import AzureError
from azure.functions.servicebus import ServiceBusMessage
from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusReceiver
from azure.servicebus.exceptions import MessageLockLostError

from local.stopping import pause
from shared.broker.service_bus_access import ServiceBusAccess, body_of
from shared.telemetry.availability import Availability
from shared.telemetry.logs import Event, log

RECEIVE_SECONDS = 1.0
"""How long one call waits for messages; SIGTERM waits for it. Cancelled, it would leave messages locked."""

logger = logging.getLogger(__name__)

Settle = Callable[[ServiceBusReceivedMessage], Awaitable[None]]


class ServiceBusTrigger:
    """Runs `invoke` with batches of a queue's messages, peek-locked, in a thread of its own.

    A batch that succeeds is completed, one that fails abandoned; locks are not renewed. A connection that is lost
    is opened again for ever; what was not settled by then comes back when its lock expires.
    """

    def __init__(
        self, access: ServiceBusAccess, batch_size: int, invoke: Callable[[list[func.ServiceBusMessage]], None]
    ) -> None:
        self._access = access
        self._batch_size = batch_size
        self._invoke = invoke
        self._availability = Availability("servicebus")
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="function")

    async def run(self, stop: asyncio.Event) -> None:
        """Receive until `stop`, then settle the batch in hand and return."""
        while not stop.is_set():
            try:
                await self._consume(stop)
            except (AzureError, OSError) as error:
                self._availability.failed(error)
                await pause(stop)

    async def _consume(self, stop: asyncio.Event) -> None:
        async with (
            self._access.client() as client,
            client.get_queue_receiver(self._access.queue_name, prefetch_count=0) as receiver,
        ):
            while not stop.is_set():
                batch = await receiver.receive_messages(self._batch_size, max_wait_time=RECEIVE_SECONDS)
                self._availability.answered()
                if batch:
                    await self._handle(batch, receiver, stop)

    async def _handle(
        self, batch: Sequence[ServiceBusReceivedMessage], receiver: ServiceBusReceiver, stop: asyncio.Event
    ) -> None:
        if stop.is_set() or not await self._succeeds([*map(decoded, batch)], stop):
            await _settle_all(batch, receiver.abandon_message)
        else:
            await _settle_all(batch, receiver.complete_message)

    async def _succeeds(self, batch: list[func.ServiceBusMessage], stop: asyncio.Event) -> bool:
        running = asyncio.get_running_loop().run_in_executor(self._thread, self._invoke, batch)
        await asyncio.wait({running})
        error = running.exception()
        if error is not None and stop.is_set():
            log(logger, logging.WARNING, Event.ENVELOPE_PUT_BACK, str(error))
        elif error is not None:
            logger.error("The function failed.", exc_info=error, extra={"event": Event.UNEXPECTED_ERROR})
        return error is None


def decoded(message: ServiceBusReceivedMessage) -> func.ServiceBusMessage:
    """The message as the worker gives it to a function."""
    return ServiceBusMessage(
        body=body_of(message),
        application_properties={},
        content_type=message.content_type,
        correlation_id=message.correlation_id,
        delivery_count=message.delivery_count,
        enqueued_time_utc=message.enqueued_time_utc,
        lock_token=str(message.lock_token),
        message_id=str(message.message_id),
        sequence_number=message.sequence_number,
        user_properties={},
    )


async def _settle_all(batch: Sequence[ServiceBusReceivedMessage], settle: Settle) -> None:
    for message in batch:
        try:
            await settle(message)
        except MessageLockLostError as error:
            log(logger, logging.WARNING, Event.ENVELOPE_PUT_BACK, str(error), message_id=message.message_id)
