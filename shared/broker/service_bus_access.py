"""How a Service Bus namespace is reached: a connection string, or its name and this workload's identity."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from azure.core.credentials_async import AsyncTokenCredential
from azure.servicebus import ServiceBusReceivedMessage, parse_connection_string
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.amqp import AmqpMessageBodyType

from shared.command_line import UserError

if TYPE_CHECKING:
    from azure.servicebus.aio.management import ServiceBusAdministrationClient

# A second attempt mends a link that idled away. Each takes about a second, so that more of them, or waits that
# grow, would outlast the answer a publisher owes within 5 s, and the reason would never be heard.
RETRIES: Final[dict[str, Any]] = {
    "retry_total": 1,
    "retry_mode": "fixed",
    "retry_backoff_factor": 0.5,
    "retry_backoff_max": 5,
}


@dataclass(frozen=True, slots=True)
class ServiceBusAccess:
    """A connection string; or, where that is empty, a namespace such as `name.servicebus.windows.net`.

    Making it does no I/O. Raises UserError where neither makes sense for the queue.
    """

    queue_name: str
    connection: str = field(default="", repr=False)
    namespace: str = ""

    def __post_init__(self) -> None:
        if self.connection:
            _expect_connection_string(self.connection, self.queue_name)
        elif not self.namespace or "/" in self.namespace or ":" in self.namespace:
            raise UserError(
                "FRAUDSENSE_BROKER=servicebus needs FRAUDSENSE_SERVICEBUS_CONNECTION (a connection string), or "
                "FRAUDSENSE_SERVICEBUS_CONNECTION__fullyQualifiedNamespace (<name>.servicebus.windows.net) with "
                "an identity."
            )

    @asynccontextmanager
    async def client(self) -> AsyncIterator[ServiceBusClient]:
        """A client for sending and receiving; nothing connects before a sender or receiver is opened."""
        async with AsyncExitStack() as stack:
            if self.connection:
                client = ServiceBusClient.from_connection_string(self.connection, **RETRIES)
            else:
                credential = await stack.enter_async_context(_identity())
                client = ServiceBusClient(self.namespace, credential, **RETRIES)
            yield await stack.enter_async_context(client)

    @asynccontextmanager
    async def administration(self) -> "AsyncIterator[ServiceBusAdministrationClient]":
        """A client for a queue's properties, over HTTPS; what it reads needs the Manage right."""
        from azure.servicebus.aio.management import (  # noqa: PLC0415 - slow to load, and seldom needed
            ServiceBusAdministrationClient,
        )

        async with AsyncExitStack() as stack:
            if self.connection:
                client = ServiceBusAdministrationClient.from_connection_string(self.connection)
            else:
                credential = await stack.enter_async_context(_identity())
                client = ServiceBusAdministrationClient(self.namespace, credential)
            yield await stack.enter_async_context(client)


@asynccontextmanager
async def _identity() -> AsyncIterator[AsyncTokenCredential]:
    """Workload identity in the cluster, a signed-in developer elsewhere."""
    from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415 - slow to load, and seldom needed

    async with DefaultAzureCredential() as credential:
        yield credential


def body_of(message: ServiceBusReceivedMessage) -> bytes:
    """The message's bytes; other producers may have sent a text or a value instead."""
    if message.body_type is AmqpMessageBodyType.DATA:
        return b"".join(message.body)
    value: object = message.body
    return value if isinstance(value, bytes) else str(value).encode()


def _expect_connection_string(connection: str, queue_name: str) -> None:
    try:
        named = parse_connection_string(connection).entity_path
    except ValueError as error:
        raise UserError(
            f"FRAUDSENSE_SERVICEBUS_CONNECTION is not a Service Bus connection string: {error}"
        ) from None
    if named and named != queue_name:
        raise UserError(
            f"FRAUDSENSE_SERVICEBUS_CONNECTION is for '{named}' and FRAUDSENSE_QUEUE_NAME is '{queue_name}': "
            "use the namespace's connection string, or that queue's name."
        )
