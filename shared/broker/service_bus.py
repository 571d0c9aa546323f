"""Publishing envelopes to Azure Service Bus: what waits goes out in one batch, confirmed by the namespace."""

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusSender
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    MessagingEntityDisabledError,
    MessagingEntityNotFoundError,
    OperationTimeoutError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusQuotaExceededError,
    ServiceBusServerBusyError,
)

from shared.broker.limits import refuse_oversized
from shared.broker.service_bus_access import ServiceBusAccess
from shared.deadline import abandon, within
from shared.domain.errors import BrokerUnavailable, EnvelopeRefused

if TYPE_CHECKING:
    from azure.servicebus.aio.management import ServiceBusAdministrationClient

CONFIRM_TIMEOUT = timedelta(seconds=5)
BATCH_BYTES = 256 * 1024 - 2048
PROPERTIES_BYTES = 512

_ADVICE: Sequence[tuple[type[AzureError], str]] = (
    (MessagingEntityNotFoundError, "The queue '{queue}' does not exist in the namespace: create it."),
    (MessagingEntityDisabledError, "The queue '{queue}' is disabled: enable it in the namespace."),
    (
        ServiceBusAuthorizationError,
        "This identity may not send to '{queue}': give it the role Azure Service Bus Data Sender.",
    ),
    (
        ServiceBusAuthenticationError,
        "Service Bus did not accept the sign-in: look at FRAUDSENSE_SERVICEBUS_CONNECTION, or at the identity.",
    ),
    (ServiceBusQuotaExceededError, "The queue '{queue}' is full; try again later."),
    (ServiceBusServerBusyError, "Service Bus is throttling; try again later."),
)
_OUTLIVED_BY_SENDER = (ServiceBusQuotaExceededError, ServiceBusServerBusyError)


@dataclass(frozen=True, slots=True)
class _Job:
    """An envelope that waits to be sent; `deadline` is on the event loop's clock."""

    envelope: bytes
    message_id: str
    deadline: float
    stored: "asyncio.Future[None]"

    @property
    def size(self) -> int:
        """Bytes it takes in a batch, at most."""
        return len(self.envelope) + PROPERTIES_BYTES


class _Session:
    """Long-lived clients, each opened by its first use, on the event loop of that use."""

    def __init__(self, access: ServiceBusAccess) -> None:
        self._access, self._stack = access, AsyncExitStack()
        self._sender: ServiceBusSender | None = None
        self._administration: ServiceBusAdministrationClient | None = None

    async def sender(self) -> ServiceBusSender:
        if self._sender is None:
            client = await self._stack.enter_async_context(self._access.client())
            self._sender = client.get_queue_sender(self._access.queue_name)
        return self._sender

    async def administration(self) -> "ServiceBusAdministrationClient":
        if self._administration is None:
            self._administration = await self._stack.enter_async_context(self._access.administration())
        return self._administration

    async def close(self) -> None:
        await self._stack.aclose()


class ServiceBusPublisher:
    """Implements EnvelopePublisher over one long-lived sender; what waits meanwhile is the next batch.

    Belongs to one event loop: the one it is first used on. Making it does no I/O. After a failure the connection
    is dropped and the next use opens a new one.
    """

    def __init__(self, access: ServiceBusAccess, timeout: timedelta = CONFIRM_TIMEOUT) -> None:
        self._access = access
        self._timeout = timeout.total_seconds()
        self._waiting: deque[_Job] = deque()
        self._sending: asyncio.Task[None] | None = None
        self._session: _Session | None = None
        self._counting: _Session | None = None

    async def publish(self, envelope: bytes, *, message_id: str) -> None:
        """As EnvelopePublisher. A full or missing queue or a refused identity can be mended: BrokerUnavailable."""
        refuse_oversized(envelope)
        loop = asyncio.get_running_loop()
        job = _Job(envelope, message_id, loop.time() + self._timeout, loop.create_future())
        self._waiting.append(job)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all())
        try:
            async with asyncio.timeout_at(job.deadline):
                await job.stored
        except TimeoutError as error:
            raise self._unconfirmed() from error

    async def check(self) -> None:
        """As EnvelopePublisher; needs no more than the right to send."""

        async def look() -> None:
            async with self._access.client() as client, client.get_queue_sender(self._access.queue_name):
                """Opening the link is what tells."""

        await self._bounded(self._timeout, look())

    async def depth(self) -> int:
        """As EnvelopePublisher: active messages, locked ones too; needs the Manage right (role Data Owner)."""

        async def count(session: _Session) -> int:
            client = await session.administration()
            properties = await client.get_queue_runtime_properties(self._access.queue_name)
            return int(properties.active_message_count or 0)

        self._counting = counting = self._counting or _Session(self._access)
        try:
            return await within(self._timeout, count(counting))
        except (AzureError, OSError) as error:
            self._counting = None
            self._abandon(counting)
            raise BrokerUnavailable(
                f"The depth of '{self._access.queue_name}' cannot be read: {_told(error)}. "
                "It needs the role Azure Service Bus Data Owner, or a key with Manage."
            ) from error

    async def close(self) -> None:
        """As EnvelopePublisher."""
        sessions = (self._session, self._counting)
        self._session = self._counting = None
        for session in filter(None, sessions):
            await _quietly(self._timeout, session)

    async def _send_all(self) -> None:
        """The one task that uses the sender, for as long as anything waits: the SDK's cannot be shared."""
        try:
            while jobs := self._next_batch():
                await self._send(jobs)
        finally:
            self._sending = None

    def _next_batch(self) -> list[_Job]:
        """In order, as many as fit; without those whose callers gave up."""
        batch: list[_Job] = []
        room = BATCH_BYTES
        while self._waiting and self._waiting[0].size <= room:
            job = self._waiting.popleft()
            if not job.stored.done():
                batch.append(job)
                room -= job.size
        return batch

    async def _send(self, jobs: Sequence[_Job]) -> None:
        try:
            await self._transmit(jobs)
        except Exception as error:  # noqa: BLE001 - handed to the callers, who must not wait for ever
            for job in jobs:
                if not job.stored.done():
                    job.stored.set_exception(error)
            return
        for job in jobs:
            if not job.stored.done():
                job.stored.set_result(None)

    async def _transmit(self, jobs: Sequence[_Job]) -> None:
        """One batch, given up on once nobody waits for it any more."""
        left = max(0.001, jobs[-1].deadline - asyncio.get_running_loop().time())

        async def send() -> None:
            self._session = self._session or _Session(self._access)
            sender = await self._session.sender()
            batch = await sender.create_message_batch()
            for job in jobs:
                batch.add_message(
                    ServiceBusMessage(job.envelope, message_id=job.message_id, content_type="application/json")
                )
            await sender.send_messages(batch, timeout=left)

        await self._bounded(left, send())

    async def _bounded(self, seconds: float, work: Coroutine[Any, Any, None]) -> None:
        """Do `work` within so many seconds, its errors told apart by what the caller can do about them."""
        try:
            await within(seconds, work)
        except MessageSizeExceededError as error:
            raise EnvelopeRefused(f"Service Bus takes no message of this size: {_told(error)}") from error
        except (TimeoutError, OperationTimeoutError) as error:
            self._drop()
            raise self._unconfirmed() from error
        except (AzureError, OSError) as error:
            if not isinstance(error, _OUTLIVED_BY_SENDER):
                self._drop()
            raise self._unavailable(error) from error

    def _unconfirmed(self) -> BrokerUnavailable:
        return BrokerUnavailable(
            f"Service Bus did not confirm within {self._timeout:g} s; it may or may not have stored the message."
        )

    def _unavailable(self, error: Exception) -> BrokerUnavailable:
        for kind, advice in _ADVICE:
            if isinstance(error, kind):
                return BrokerUnavailable(advice.format(queue=self._access.queue_name))
        return BrokerUnavailable(f"Service Bus cannot be reached: {_told(error)}")

    def _drop(self) -> None:
        """Forget the connection at once and close it in the background, as a stuck one takes its time."""
        session, self._session = self._session, None
        if session is not None:
            self._abandon(session)

    def _abandon(self, session: _Session) -> None:
        abandon(asyncio.ensure_future(_quietly(self._timeout, session)))


async def _quietly(seconds: float, session: _Session) -> None:
    """A connection that fails while it is closed is closed."""
    try:
        await within(seconds, session.close())
    except (AzureError, OSError):
        return


def _told(error: BaseException) -> str:
    """The first line of what the SDK says."""
    return (str(error) or type(error).__name__).splitlines()[0]
