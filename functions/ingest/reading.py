"""The reading routes: a transaction, health, metrics."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Literal

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.responses import PlainTextResponse, Response

from functions.ingest.parts import Parts
from shared.domain.errors import BrokerUnavailable, DatabaseUnavailable, FraudSenseError
from shared.messages.transaction_in import IDENTIFIER
from shared.messages.transaction_out import TransactionOut
from shared.problem_answers import problem_responses
from shared.problems import Kind, Refused, not_found, unavailable
from shared.telemetry.availability import Availability
from shared.telemetry.metrics import render

CHECK_SECONDS = 2.0
_IDENTIFIER = re.compile(IDENTIFIER)


class Health(BaseModel):
    """Health of this process: `live` where it runs, `ready` where it can take transactions."""

    status: Literal["live", "ready"]


class DetailedHealth(Health):
    """Ready, and what the services behind it are like; ingest takes transactions without its database."""

    broker: Literal["available"]
    database: Literal["available", "away"]


def add_reading_routes(app: FastAPI, parts: Callable[[], Parts]) -> None:
    """Add the GET routes over these parts."""
    _add_transaction_route(app, parts)
    _add_health_routes(app, parts)

    @app.get("/metrics", tags=["health"], response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Metrics in Prometheus' text format."""
        return Response(render(), media_type=CONTENT_TYPE_LATEST)


def _add_transaction_route(app: FastAPI, parts: Callable[[], Parts]) -> None:
    database = Availability("PostgreSQL")

    @app.get(
        "/transactions/{transaction_id}",
        tags=["transactions"],
        responses=problem_responses(Kind.NOT_FOUND, Kind.UNAVAILABLE),
    )
    async def read_transaction(transaction_id: str) -> TransactionOut:
        """The transaction and its decision; `queued` while it waits to be scored."""
        try:
            found = await find_transaction(transaction_id, parts())
        except DatabaseUnavailable as error:
            database.failed(error)
            raise Refused(unavailable("The database does not answer.")) from error
        database.answered()
        return found


def _add_health_routes(app: FastAPI, parts: Callable[[], Parts]) -> None:
    @app.get("/health", tags=["health"], responses=problem_responses(Kind.UNAVAILABLE))
    async def health() -> DetailedHealth:
        """Whether transactions can be taken, with the state of the services behind."""
        database, _ = await asyncio.gather(_database_state(parts()), _expect_broker(parts()))
        return DetailedHealth(status="ready", broker="available", database=database)

    @app.get("/health/live", tags=["health"])
    async def live() -> Health:
        """Whether the process answers."""
        return Health(status="live")

    @app.get("/health/ready", tags=["health"], responses=problem_responses(Kind.UNAVAILABLE))
    async def ready() -> Health:
        """Whether transactions can be taken: only the broker is needed for that."""
        await _expect_broker(parts())
        return Health(status="ready")


async def find_transaction(transaction_id: str, parts: Parts) -> TransactionOut:
    """As recorded, else as quarantined, else as known by its receipt. Raises Refused, DatabaseUnavailable."""
    if not _IDENTIFIER.fullmatch(transaction_id):
        raise Refused(not_found("No transaction can have this id; look at how it was posted."))
    if record := await parts.transactions.find(transaction_id):
        return TransactionOut.model_validate(record)
    accepted = (await parts.receipts.find([transaction_id]))[0]
    if await parts.transactions.is_rejected(transaction_id, accepted):
        return TransactionOut(transaction_id=transaction_id, status="rejected")
    if accepted:
        return TransactionOut(transaction_id=transaction_id, status="queued")
    raise Refused(not_found("No transaction with this id is known; it may still be on its way."))


async def _expect_broker(parts: Parts) -> None:
    if not await _answers(parts.publisher.check(), BrokerUnavailable):
        raise Refused(unavailable("The queue does not answer."))


async def _database_state(parts: Parts) -> Literal["available", "away"]:
    return "available" if await _answers(parts.transactions.check(), DatabaseUnavailable) else "away"


async def _answers(check: Awaitable[None], failure: type[FraudSenseError]) -> bool:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check
    except (failure, TimeoutError):
        return False
    return True
