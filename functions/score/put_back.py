"""Giving messages back to the queue when this scorer cannot settle them, by each broker's means."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from shared.domain.errors import FraudSenseError
from shared.ports import EnvelopePublisher
from shared.telemetry import metrics
from shared.telemetry.logs import Event, log

logger = logging.getLogger(__name__)

GiveBack = Callable[[Sequence[bytes], FraudSenseError], None]
"""Called with messages and why; returns once the broker has them again, or raises so that it keeps them."""


@dataclass(frozen=True, slots=True)
class PutBack:
    """How `newer` envelopes go back, without the batch they came in, and how a whole batch does in an `outage`."""

    newer: GiveBack
    outage: GiveBack


def republish_with(new_publisher: Callable[[], EnvelopePublisher]) -> GiveBack:
    """Publish copies, confirmed and under new message ids, so that the delivery counts as handled.

    Raising would spend one of the message's few runs. Raises BrokerUnavailable where a copy was not confirmed. A
    scorer that dies between the confirm and its own acknowledgement leaves two of a message, which is harmless.
    """

    def give_back(messages: Sequence[bytes], reason: FraudSenseError) -> None:
        asyncio.run(_publish(messages, new_publisher()))
        _note(messages, reason)

    return give_back


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
    metrics.count(metrics.PUT_BACK, len(messages))
    log(logger, logging.WARNING, Event.ENVELOPE_PUT_BACK, str(reason), envelopes=len(messages))
