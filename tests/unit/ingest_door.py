"""Ingest with everything behind it in memory, for tests of the HTTP door."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx

from functions.ingest.app import create_app
from functions.ingest.parts import Parts, assemble
from shared.broker.memory import MemoryPublisher, MemoryQueue
from shared.domain.errors import DatabaseUnavailable
from shared.messages.envelope import decode_envelope
from shared.messages.transaction_in import Item
from shared.testing.rate_limit import MemoryRateLimit
from shared.testing.receipts import MemoryReceipts
from tests.builders import NOON


@dataclass
class RecordedTransactions:
    """The books, as a test wrote them."""

    available: bool = True
    recorded: dict[str, SimpleNamespace] = field(default_factory=dict)
    rejected: dict[str, bytes] = field(default_factory=dict)

    async def find(self, transaction_id: str) -> SimpleNamespace | None:
        await self.check()
        return self.recorded.get(transaction_id)

    async def is_rejected(self, transaction_id: str, content_hash: bytes | None = None) -> bool:
        await self.check()
        found = self.rejected.get(transaction_id)
        return found is not None and content_hash in (None, found)

    async def check(self) -> None:
        if not self.available:
            raise DatabaseUnavailable


@dataclass
class Door:
    """A client of the app, and what is behind it. It is always a minute past NOON."""

    client: httpx.AsyncClient
    queue: MemoryQueue
    receipts: MemoryReceipts
    rate_limit: MemoryRateLimit
    transactions: RecordedTransactions
    parts: Parts

    async def post(self, transaction: Any, **headers: str) -> httpx.Response:
        """POST one transaction as JSON."""
        return await self.client.post("/transactions", json=transaction, headers=headers)

    async def post_batch(self, *transactions: Any) -> httpx.Response:
        """POST a batch."""
        return await self.client.post("/transactions/batch", json={"transactions": transactions})

    def queued(self) -> list[Item]:
        """Every item on the queue, taken off."""
        return [item for envelope in self.envelopes() for item in envelope]

    def envelopes(self) -> list[list[Item]]:
        """Every envelope on the queue, taken off."""
        envelopes = []
        while delivery := self.queue.receive():
            items, invalid = decode_envelope(delivery.body, now=NOON + timedelta(minutes=1))
            assert invalid == []
            envelopes.append(items)
            self.queue.complete(delivery)
        return envelopes


@asynccontextmanager
async def a_door(
    *,
    per_minute: int = 0,
    publish_queue_size: int = 1_000,
    queue_full_at: int = 0,
    publisher: Callable[[MemoryQueue], Any] = MemoryPublisher,
) -> AsyncIterator[Door]:
    """Ingest over in-memory ports."""
    queue, receipts, books = MemoryQueue(), MemoryReceipts(), RecordedTransactions()
    rate_limit = MemoryRateLimit(per_minute, clock=lambda: NOON)
    parts = assemble(
        rate_limit=rate_limit,
        receipts=receipts,
        publisher=publisher(queue),
        transactions=books,
        publish_queue_size=publish_queue_size,
        queue_full_at=queue_full_at,
        clock=lambda: NOON + timedelta(minutes=1),
    )
    transport = httpx.ASGITransport(create_app(lambda: parts), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
        yield Door(client, queue, receipts, rate_limit, books, parts)
