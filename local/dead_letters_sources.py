"""Where dead letters are kept, reached in the build that runs here or in what the settings name."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal

from local.chosen import running_urls, with_queue
from shared.broker.selection import publisher_for
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

    engine = async_engine(running_urls(settings, "database")["database"])
    stack.push_async_callback(engine.dispose)
    return RejectedLetters(engine)
