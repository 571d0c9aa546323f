"""Giving messages back to the queue when this scorer cannot settle them, by each broker's means."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from uuid import uuid4

from shared.domain.errors import FraudSenseError
from shared.ports import EnvelopePublisher
from shared.telemetry.logs import Event, log

logger = logging.getLogger(__name__)

PutBack = Callable[[Sequence[bytes], FraudSenseError], None]
"""Called with messages and why; returns once the broker has them again, or raises so that it keeps them."""


def republish_with(new_publisher: Callable[[], EnvelopePublisher]) -> PutBack:
    """For RabbitMQ: publish copies, confirmed, so that the delivery counts as handled.

    Raising would spend one of the message's few runs. Raises BrokerUnavailable where a copy was not confirmed.
    """

    def put_back(messages: Sequence[bytes], reason: FraudSenseError) -> None:
        asyncio.run(_publish(messages, new_publisher()))
        _note(messages, reason)

    return put_back


def keep_locked(messages: Sequence[bytes], reason: FraudSenseError) -> None:
    """For Service Bus: raise the reason; the broker delivers the whole batch again."""
    _note(messages, reason)
    raise reason


async def _publish(messages: Sequence[bytes], publisher: EnvelopePublisher) -> None:
    try:
        for body in messages:
            await publisher.publish(body, message_id=uuid4().hex)
    finally:
        await publisher.close()


def _note(messages: Sequence[bytes], reason: FraudSenseError) -> None:
    log(logger, logging.WARNING, Event.ENVELOPE_PUT_BACK, str(reason), envelopes=len(messages))
