"""What the HTTP door is made of; wiring fills it with the real adapters, tests with those in memory."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

from functions.ingest.back_pressure import BackPressure
from functions.ingest.batching import Batcher
from functions.ingest.body import Bodies
from functions.ingest.handler import Outcome, accept
from shared.messages.transaction_in import Item
from shared.ports import EnvelopePublisher, RateLimit, Receipts
from shared.telemetry.availability import Availability

PUBLISH_QUEUE_BYTES = 64 * 1024 * 1024
BODY_BYTES = 64 * 1024 * 1024


class TransactionLookup(Protocol):
    """Recorded transactions. Raises DatabaseUnavailable."""

    async def find(self, transaction_id: str) -> object | None:
        """The transaction with its decision, its attributes named as in TransactionOut; None where unknown."""

    async def is_rejected(self, transaction_id: str, content_hash: bytes | None = None) -> bool:
        """Whether a message with this id was quarantined; where a hash is given, one with that content."""

    async def check(self) -> None:
        """Return where the database answers."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything a request needs; whoever parses a batch holds `parsing`."""

    intake: Batcher[Item, Outcome]
    publisher: EnvelopePublisher
    receipts: Receipts
    transactions: TransactionLookup
    back_pressure: BackPressure
    bodies: Bodies
    parsing: asyncio.Lock
    clock: Callable[[], datetime] = _now


def assemble(
    *,
    rate_limit: RateLimit,
    receipts: Receipts,
    publisher: EnvelopePublisher,
    transactions: TransactionLookup,
    publish_queue_size: int,
    queue_full_at: int = 0,
    clock: Callable[[], datetime] = _now,
) -> Parts:
    """Parts around these ports."""
    work = partial(
        accept,
        rate_limit=rate_limit,
        receipts=receipts,
        publisher=publisher,
        queue=Availability("The queue"),
    )
    intake = Batcher[Item, Outcome](
        work, capacity=publish_queue_size, room=PUBLISH_QUEUE_BYTES, size_of=lambda item: len(item.payload)
    )
    return Parts(
        intake=intake,
        publisher=publisher,
        receipts=receipts,
        transactions=transactions,
        back_pressure=BackPressure(publisher, queue_full_at),
        bodies=Bodies(BODY_BYTES),
        parsing=asyncio.Lock(),
        clock=clock,
    )
