"""Posting rows in batches: retries what ingest asks to retry, and says so instead of stalling."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import httpx

from local.replay_answers import Answer, Patience, read_answers
from local.replay_schedule import DueBatch
from shared.transactions_csv import Row

IN_FLIGHT = 4
"""Requests under way at once: enough to keep ingest busy, few enough to nearly keep the file's order."""

FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 5.0


class Listener(Protocol):
    """Whoever shows how posting goes."""

    def all_answered(self) -> None:
        """Every row was sent and answered once; only repetitions are left."""

    def settled(self, rows: int) -> None:
        """So many more rows were accepted or finally refused."""

    def held_back(self, accounts: int, rows: int) -> None:
        """The rate limit has met so many accounts so far; so many rows wait to be sent again now."""

    def unavailable(self, detail: str) -> None:
        """Ingest could not take a request; it is sent again."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A row that ingest took: its id, and its label where the file has one."""

    transaction_id: str
    is_fraud: bool | None


@dataclass(slots=True)
class Posted:
    """What became of the rows at ingest's door; refusals by HTTP status, with the first sentence of each."""

    accepted: list[Accepted] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)
    sentences: dict[int, str] = field(default_factory=dict)


class Poster:
    """Posts batches when they are due; retries end after `wait` seconds without an acceptance."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        listener: Listener,
        *,
        wait: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client, self._listener = client, listener
        self._clock, self._sleep = clock, sleep
        self._patience = Patience(wait, clock)
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._limited: set[str] = set()
        self._waiting = 0
        self._posted = Posted()

    async def post(self, batches: Iterable[DueBatch]) -> Posted:
        """Deliver all batches; returns once each row is accepted or finally refused."""
        start = self._clock()
        async with asyncio.TaskGroup() as repetitions:
            async with asyncio.TaskGroup() as deliveries:
                for batch in batches:
                    await self._sleep(max(0.0, start + batch.due - self._clock()))
                    await self._slots.acquire()
                    deliveries.create_task(self._deliver(batch.rows, repetitions))
            self._listener.all_answered()
        return self._posted

    async def _deliver(self, rows: Sequence[Row], repetitions: asyncio.TaskGroup) -> None:
        since = self._clock()
        again = await self._send(rows, since)
        if again:
            repetitions.create_task(self._repeat(again, since))

    async def _repeat(self, again: Sequence[tuple[Row, Answer]], since: float) -> None:
        """Send rows until none is left; pauses grow where ingest does not say how long they should be."""
        backoff = FIRST_BACKOFF_SECONDS
        while again:
            await self._sleep(max(backoff, *(answer.retry_after for _, answer in again)))
            self._waiting -= len(again)
            await self._slots.acquire()
            again = await self._send([row for row, _ in again], since)
            backoff = min(2 * backoff, LONGEST_BACKOFF_SECONDS)

    async def _send(self, rows: Sequence[Row], since: float) -> list[tuple[Row, Answer]]:
        """One request in a slot that the caller took; the rows to send again, with their answers."""
        try:
            answers = await self._request(rows)
        finally:
            self._slots.release()
        again = self._settle(rows, answers, since)
        self._tell(again)
        return again

    async def _request(self, rows: Sequence[Row]) -> list[Answer]:
        document = {"transactions": [row.posted for row in rows]}
        try:
            response = await self._client.post("/transactions/batch", json=document)
        except httpx.TransportError as error:
            return [Answer(503, f"Ingest cannot be reached ({type(error).__name__}).")] * len(rows)
        return read_answers(response, len(rows))

    def _settle(self, rows: Sequence[Row], answers: Sequence[Answer], since: float) -> list[tuple[Row, Answer]]:
        """Book the final answers; what is left is to be sent again."""
        again = []
        for row, answer in zip(rows, answers, strict=True):
            if answer.accepted:
                self._patience.accepted(row.posted["account_id"])
                self._posted.accepted.append(Accepted(row.posted["transaction_id"], row.is_fraud))
            elif self._patience.allows(answer, row.posted["account_id"], since):
                again.append((row, answer))
            else:
                self._posted.refused[answer.status] += 1
                self._posted.sentences.setdefault(answer.status, answer.detail)
        self._listener.settled(len(rows) - len(again))
        return again

    def _tell(self, again: Sequence[tuple[Row, Answer]]) -> None:
        self._waiting += len(again)
        limited = {row.posted["account_id"] for row, answer in again if answer.limited}
        if limited:
            self._limited |= limited
            self._listener.held_back(len(self._limited), self._waiting)
        detail = next((answer.detail for _, answer in again if answer.unknown), None)
        if detail is not None:
            self._listener.unavailable(detail)
