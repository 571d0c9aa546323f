"""Chooses the broker that the settings name, and loads no other's library."""

from shared.ports import EnvelopePublisher
from shared.settings import Settings


def publisher_for(settings: Settings) -> EnvelopePublisher:
    """A publisher to `settings.queue_name`; making it does no I/O.

    With `memory` the queue is the publisher's own: what is published can be read back by nobody else.
    """
    return _PUBLISHERS[settings.broker](settings)


def _rabbitmq(settings: Settings) -> EnvelopePublisher:
    from shared.broker.rabbitmq import RabbitMQPublisher  # noqa: PLC0415 - only the chosen broker's library

    return RabbitMQPublisher(settings.rabbitmq_url, settings.queue_name)


def _memory(settings: Settings) -> EnvelopePublisher:
    from shared.broker.memory import MemoryPublisher, MemoryQueue  # noqa: PLC0415 - only the chosen broker

    return MemoryPublisher(MemoryQueue(settings.queue_max_length))


def _service_bus(settings: Settings) -> EnvelopePublisher:
    raise NotImplementedError("Publishing to Service Bus is not built yet; set FRAUDSENSE_BROKER=rabbitmq.")


_PUBLISHERS = {"rabbitmq": _rabbitmq, "memory": _memory, "servicebus": _service_bus}
