"""Chooses the broker that the settings name, and loads no other's library."""

from shared.ports import EnvelopePublisher
from shared.settings import Settings


def expect_publisher(settings: Settings) -> None:
    """Raises UserError where the settings do not say how to reach their broker."""
    publisher_for(settings)


def publisher_for(settings: Settings) -> EnvelopePublisher:
    """A publisher to `settings.queue_name`; making it does no I/O. Raises UserError as expect_publisher.

    With `memory` the queue is the publisher's own: what is published can be read back by nobody else.
    """
    return _PUBLISHERS[settings.broker](settings)


def _rabbitmq(settings: Settings) -> EnvelopePublisher:
    from shared.broker.rabbitmq import RabbitMQPublisher  # noqa: PLC0415 - only the chosen broker's library

    return RabbitMQPublisher(settings.rabbitmq_url, settings.queue_name)


def _service_bus(settings: Settings) -> EnvelopePublisher:
    from shared.broker.service_bus import ServiceBusPublisher  # noqa: PLC0415 - only the chosen broker's library
    from shared.broker.service_bus_access import ServiceBusAccess  # noqa: PLC0415

    return ServiceBusPublisher(
        ServiceBusAccess(settings.queue_name, settings.servicebus_connection, settings.servicebus_namespace)
    )


def _memory(settings: Settings) -> EnvelopePublisher:
    from shared.broker.memory import MemoryPublisher, MemoryQueue  # noqa: PLC0415 - only the chosen broker

    return MemoryPublisher(MemoryQueue(settings.queue_max_length))


_PUBLISHERS = {"rabbitmq": _rabbitmq, "servicebus": _service_bus, "memory": _memory}
