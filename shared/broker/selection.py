"""Chooses the broker that the settings name, and loads no other's library."""

from shared.domain.errors import FraudSenseError
from shared.ports import EnvelopePublisher
from shared.settings import Settings


class NoPublisher(FraudSenseError):
    """Publishing to Service Bus is not built yet: set FRAUDSENSE_BROKER=rabbitmq."""


def expect_publisher(settings: Settings) -> None:
    """Raises NoPublisher where nothing can be published to the broker of the settings."""
    if settings.broker not in _PUBLISHERS:
        raise NoPublisher


def publisher_for(settings: Settings) -> EnvelopePublisher:
    """A publisher to `settings.queue_name`; making it does no I/O. Raises NoPublisher.

    With `memory` the queue is the publisher's own: what is published can be read back by nobody else.
    """
    expect_publisher(settings)
    return _PUBLISHERS[settings.broker](settings)


def _rabbitmq(settings: Settings) -> EnvelopePublisher:
    from shared.broker.rabbitmq import RabbitMQPublisher  # noqa: PLC0415 - only the chosen broker's library

    return RabbitMQPublisher(settings.rabbitmq_url, settings.queue_name)


def _memory(settings: Settings) -> EnvelopePublisher:
    from shared.broker.memory import MemoryPublisher, MemoryQueue  # noqa: PLC0415 - only the chosen broker

    return MemoryPublisher(MemoryQueue(settings.queue_max_length))


_PUBLISHERS = {"rabbitmq": _rabbitmq, "memory": _memory}
