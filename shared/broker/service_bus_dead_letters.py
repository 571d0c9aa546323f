"""The dead letters of Azure Service Bus: the sub queue `$deadletterqueue`, peeked at or received under a lock."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress

from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusReceiver
from azure.servicebus.exceptions import MessageLockLostError, MessagingEntityNotFoundError, ServiceBusError

from shared.broker.service_bus_access import ServiceBusAccess, body_of
from shared.dead_letters import DeadLetter, Selection, Waiting, plain_id
from shared.domain.errors import BrokerUnavailable

PEEKED, RECEIVED = 250, 20
PEEK_SECONDS, RECEIVE_SECONDS = 10, 5


class ServiceBusDeadLetters:
    """Implements DeadLetters over one receiver, opened by the first use; one `take` at a time.

    Needs the right to listen only, so letters are counted by peeking at all of them.
    """

    def __init__(self, access: ServiceBusAccess) -> None:
        self._access = access
        self._stack = AsyncExitStack()
        self._receiver: ServiceBusReceiver | None = None
        self._held: dict[int | None, ServiceBusReceivedMessage] = {}

    async def waiting(self) -> Waiting:
        """As DeadLetters; those in somebody's hands count as well."""
        return Waiting(sum([1 async for _ in self._peeked()]))

    async def look(self, selection: Selection, limit: int) -> list[DeadLetter]:
        """As DeadLetters. Peeking locks nothing and counts as no delivery."""
        found: list[DeadLetter] = []
        async for message in self._peeked():
            if selection.takes(letter := _letter(message)):
                found.append(letter)
            if len(found) >= limit:
                break
        return found

    async def take(self, selection: Selection) -> AsyncGenerator[DeadLetter]:
        """As DeadLetters; letters whose locks expire meanwhile, mostly after minutes, are given back early."""
        left = (await self.waiting()).letters
        try:
            while left > 0 and (messages := await self._received(min(left, RECEIVED))):
                for message in messages:
                    if selection.takes(letter := _letter(message)):
                        yield letter
                left -= len(messages)
        finally:
            await self._hand_back()

    async def remove(self, letter: DeadLetter) -> None:
        """As DeadLetters."""
        message = letter.handle
        assert isinstance(message, ServiceBusReceivedMessage)  # noqa: S101 - see the protocol
        with self._answering():
            await (await self._open()).complete_message(message)
        self._held.pop(message.sequence_number, None)

    async def close(self) -> None:
        """As DeadLetters."""
        self._receiver = None
        with suppress(AzureError, OSError):
            await self._stack.aclose()

    async def _peeked(self) -> AsyncIterator[ServiceBusReceivedMessage]:
        """All of them, the oldest first."""
        after = 0
        while True:
            with self._answering():
                receiver = await self._open()
                messages = await receiver.peek_messages(PEEKED, sequence_number=after + 1, timeout=PEEK_SECONDS)
            for message in messages:
                yield message
            if not messages:
                return
            after = messages[-1].sequence_number or 0

    async def _received(self, at_most: int) -> list[ServiceBusReceivedMessage]:
        """Those not seen yet, locked for us; none once only seen ones come again, as their locks expired."""
        with self._answering():
            receiver = await self._open()
            messages = await receiver.receive_messages(at_most, max_wait_time=RECEIVE_SECONDS)
        fresh = [message for message in messages if message.sequence_number not in self._held]
        self._held |= {message.sequence_number: message for message in messages}
        return fresh

    async def _hand_back(self) -> None:
        """A letter whose lock was lost was given back by itself."""
        held, self._held = self._held, {}
        with suppress(AzureError, OSError, BrokerUnavailable):
            receiver = await self._open()
            for message in held.values():
                with suppress(ServiceBusError):
                    await receiver.abandon_message(message)

    async def _open(self) -> ServiceBusReceiver:
        if self._receiver is None:
            client = await self._stack.enter_async_context(self._access.client())
            receiver = client.get_queue_receiver(self._access.queue_name, sub_queue=ServiceBusSubQueue.DEAD_LETTER)
            self._receiver = await self._stack.enter_async_context(receiver)
        return self._receiver

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except MessageLockLostError as error:
            raise BrokerUnavailable("A letter's lock expired meanwhile, so it stays; do this again.") from error
        except MessagingEntityNotFoundError as error:
            name = self._access.queue_name
            raise BrokerUnavailable(f"The queue '{name}' does not exist in the namespace: create it.") from error
        except (AzureError, OSError) as error:
            told = (str(error) or type(error).__name__).splitlines()[0]
            raise BrokerUnavailable(
                f"Service Bus cannot be reached: {told} Listening needs the role Azure Service Bus Data Receiver."
            ) from error


def _letter(message: ServiceBusReceivedMessage) -> DeadLetter:
    body = body_of(message)
    return DeadLetter(
        letter_id=plain_id(message.message_id) or f"sequence-{message.sequence_number}",
        reason=message.dead_letter_reason or "unknown",
        detail=message.dead_letter_error_description or "",
        since=message.enqueued_time_utc,
        body=body,
        envelope=body,
        properties={str(name): value for name, value in (message.application_properties or {}).items()},
        handle=message,
    )
