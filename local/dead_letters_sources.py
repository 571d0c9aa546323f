"""Where dead letters are kept, reached in the build that runs here or in what the settings name."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal

from local.chosen import given_urls
from local.data_folder import held_state
from shared.broker.selection import publisher_for
from shared.command_line import UserError
from shared.dead_letters import DeadLetters
from shared.ports import EnvelopePublisher
from shared.settings import Settings

Source = Literal["queue", "quarantine"]


@asynccontextmanager
async def opened(settings: Settings, source: Source) -> AsyncIterator[DeadLetters]:
    """The dead letters of one source. Raises UserError where nothing says how to reach it."""
    async with AsyncExitStack() as stack:
        if source == "quarantine":
            yield await _quarantine(settings, stack)
            return
        letters = _queue(with_queue(settings))
        stack.push_async_callback(letters.close)
        yield letters


@asynccontextmanager
async def publishing(settings: Settings) -> AsyncIterator[EnvelopePublisher]:
    """A publisher to the queue. Raises UserError."""
    publisher = publisher_for(with_queue(settings))
    try:
        yield publisher
    finally:
        await publisher.close()


def with_queue(settings: Settings) -> Settings:
    """The settings with the RabbitMQ that runs here, unless they name one or Service Bus. Raises UserError."""
    if settings.broker == "memory":
        raise UserError("FRAUDSENSE_BROKER=memory has no queue outside one process: set rabbitmq or servicebus.")
    if settings.broker == "servicebus" or "rabbitmq" in given_urls(settings):
        return settings
    return settings.model_copy(update={"rabbitmq_url": _running(settings, "FRAUDSENSE_RABBITMQ_URL")["rabbitmq"]})


def _running(settings: Settings, variable: str) -> Mapping[str, str]:
    state = held_state(settings.data_dir)
    if state is None:
        raise UserError(f"Nothing is ready in {settings.data_dir}: start it with `make run`, or set {variable}.")
    urls: Mapping[str, str] = state["urls"]
    return urls


def _queue(settings: Settings) -> DeadLetters:
    if settings.broker == "servicebus":
        from shared.broker.service_bus_access import ServiceBusAccess  # noqa: PLC0415 - only the chosen library
        from shared.broker.service_bus_dead_letters import ServiceBusDeadLetters  # noqa: PLC0415

        return ServiceBusDeadLetters(
            ServiceBusAccess(settings.queue_name, settings.servicebus_connection, settings.servicebus_namespace)
        )
    from shared.broker.rabbitmq_dead_letters import RabbitMQDeadLetters  # noqa: PLC0415
    from shared.broker.topology import Topology  # noqa: PLC0415

    return RabbitMQDeadLetters(
        settings.rabbitmq_url, Topology(settings.queue_name, settings.queue_type, settings.queue_max_length)
    )


async def _quarantine(settings: Settings, stack: AsyncExitStack) -> DeadLetters:
    from shared.database.engine import async_engine  # noqa: PLC0415 - not needed for the queue
    from shared.database.rejected import RejectedLetters  # noqa: PLC0415

    url = given_urls(settings).get("database") or _running(settings, "FRAUDSENSE_DATABASE_URL")["database"]
    engine = async_engine(url)
    stack.push_async_callback(engine.dispose)
    return RejectedLetters(engine)
