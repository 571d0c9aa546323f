"""A burst of payments through ingest's batch door, each accepted one booked."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from time import monotonic
from typing import Any
from uuid import uuid4

import httpx

from local.replay_answers import read_answers
from local.sample_story import cast_of, ordinary
from shared.domain.errors import FraudSenseError

BATCH = 500
CONNECTIONS = 4
PAUSE_SECONDS = 1.0


Posted = dict[str, Any]


class Refused(FraudSenseError):
    """Ingest refuses a payment of the burst for good."""


@dataclass(slots=True)
class Burst:
    """`transactions` payments, offered at `rate` a second; `accepted` are the ids that ingest queued."""

    client: httpx.AsyncClient
    transactions: int
    rate: float
    seed: int
    accepted: set[str] = field(default_factory=set)

    async def send(self) -> None:
        """Post them all, again where the answer is unknown; an exception group holds Refused."""
        places, start = asyncio.Semaphore(CONNECTIONS), monotonic()
        async with asyncio.TaskGroup() as posts:
            for number, batch in enumerate(_batches(self.seed, self.transactions)):
                await asyncio.sleep(max(0.0, start + number * BATCH / self.rate - monotonic()))
                await places.acquire()
                posts.create_task(self._post(batch)).add_done_callback(lambda _: places.release())

    async def _post(self, batch: list[Posted]) -> None:
        while batch := await self._not_accepted(batch):
            await asyncio.sleep(PAUSE_SECONDS)

    async def _not_accepted(self, batch: list[Posted]) -> list[Posted]:
        """Those of the batch whose fate is unknown after this attempt."""
        try:
            response = await self.client.post("/transactions/batch", json={"transactions": batch})
        except httpx.TransportError:
            return batch
        answered = list(zip(batch, read_answers(response, len(batch)), strict=True))
        refused = next((answer for _, answer in answered if not (answer.accepted or answer.unknown)), None)
        if refused:
            raise Refused(f"Ingest refuses a payment of the burst ({refused.status}): {refused.detail}")
        self.accepted |= {payment["transaction_id"] for payment, answer in answered if answer.accepted}
        return [payment for payment, answer in answered if answer.unknown]


def _batches(seed: int, transactions: int) -> Iterator[list[Posted]]:
    run, payments = uuid4().hex[:8], ordinary(cast_of(seed), rate=1.0)
    numbers = iter(range(transactions))
    while some := list(islice(numbers, BATCH)):
        now = datetime.now(UTC)
        yield [next(payments).posted(f"burst-{run}-{number}", now) for number in some]
