"""How accepted transactions ended: asked in order until all are known or nothing moves any more."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain, islice
from typing import Any, Protocol

import httpx

from shared.database.outcomes import Outcome, OutcomeRecords
from shared.domain.errors import DatabaseUnavailable

PAUSE_SECONDS = 0.25


class OutcomeReader(Protocol):
    """Where outcomes are read; `window` is how many ids it is asked for at a time."""

    window: int

    async def of(self, transaction_ids: Sequence[str]) -> dict[str, Outcome]:
        """The outcomes known so far; none while the source is away."""


class RecordedOutcomes:
    """Reads PostgreSQL, where this machine's build says which it is; `since` is when posting began."""

    window = 2_000

    def __init__(self, records: OutcomeRecords, since: datetime) -> None:
        self._records = records
        self._since = since

    async def of(self, transaction_ids: Sequence[str]) -> dict[str, Outcome]:
        """As OutcomeReader."""
        try:
            return await self._records.of(transaction_ids, self._since)
        except DatabaseUnavailable:
            return {}


class PublicOutcomes:
    """Reads `GET /transactions/{id}`, for an ingest of which only the URL is known."""

    window = 32

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def of(self, transaction_ids: Sequence[str]) -> dict[str, Outcome]:
        """As OutcomeReader; all ids are asked for at once."""
        found = await asyncio.gather(*map(self._find, transaction_ids))
        return {id_: outcome for id_, outcome in zip(transaction_ids, found, strict=True) if outcome}

    async def _find(self, transaction_id: str) -> Outcome | None:
        try:
            response = await self._client.get(f"/transactions/{transaction_id}")
        except httpx.TransportError:
            return None
        return _outcome(response.json()) if response.status_code == 200 else None


def _outcome(document: dict[str, Any]) -> Outcome | None:
    match document["status"]:
        case "scored":
            return Outcome("scored", document["risk_label"], document["alert_id"] is not None)
        case "rejected":
            return Outcome("rejected")
    return None


async def await_outcomes(
    transaction_ids: Iterable[str],
    reader: OutcomeReader,
    progress: Callable[[int], None],
    *,
    wait: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> dict[str, Outcome]:
    """The outcome of every id, or of those that have one once `wait` seconds pass without a new one.

    Ids are asked for from the oldest on, so that each is asked for about once however long scoring takes.
    """
    rest = iter(dict.fromkeys(transaction_ids))
    outcomes: dict[str, Outcome] = {}
    window = list(islice(rest, reader.window))
    moved_at = clock()
    while window and clock() - moved_at <= wait:
        found = await reader.of(window)
        if found:
            moved_at = clock()
            outcomes |= found
            progress(len(found))
            window = [id_ for id_ in window if id_ not in found]
            window += islice(rest, reader.window - len(window))
        else:
            await sleep(PAUSE_SECONDS)
    return outcomes | await _last_look(chain(window, rest), reader)


async def _last_look(transaction_ids: Iterator[str], reader: OutcomeReader) -> dict[str, Outcome]:
    """Ids behind a window that stopped moving may have an outcome: they count too."""
    outcomes: dict[str, Outcome] = {}
    while window := list(islice(transaction_ids, reader.window)):
        outcomes |= await reader.of(window)
    return outcomes
