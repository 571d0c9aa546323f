"""The posting routes: read, parse, submit, and map each outcome to its answer."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from time import monotonic
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from functions.ingest.batching import QueueFull
from functions.ingest.body import read_json_body, traceparent
from functions.ingest.handler import Limited, Outcome, Verdict
from functions.ingest.parts import Parts
from functions.ingest.problems import (
    backlog,
    conflict,
    invalid,
    posting_failed,
    queue_full,
    rate_limited,
    unconfirmed,
)
from shared.messages.transaction_errors import InvalidTransaction
from shared.messages.transaction_in import (
    MAX_TRANSACTION_BYTES,
    Item,
    parse_json,
    parse_transaction,
)
from shared.problem_answers import answer
from shared.problems import FieldError, Kind, Problem, Refused
from shared.telemetry.logs import Event
from shared.telemetry.metrics import INGESTED, REFUSED, count

_logger = logging.getLogger(__name__)

MAX_BATCH_BYTES = 4 * 1024 * 1024
MAX_BATCH_ITEMS = 1_000
ANSWER_WITHIN_SECONDS = 4.0
"""A caller hears of a broker that is away within 5 seconds, whatever was in flight when the request came; the rest
is for a busy machine."""

_TURN_SECONDS = 0.002
Endpoint = Callable[[Request], Awaitable[Response]]


def posting_endpoints(parts: Callable[[], Parts]) -> tuple[Endpoint, Endpoint]:
    """Endpoints of POST /transactions and POST /transactions/batch."""

    async def post_transaction(request: Request) -> Response:
        return await _or_problem(lambda: _post_transaction(request, _open(parts())))

    async def post_batch(request: Request) -> Response:
        return await _or_problem(lambda: _post_batch(request, _open(parts())))

    return post_transaction, post_batch


def _open(parts: Parts) -> Parts:
    """The parts, where the queue is not too deep; raises Refused before anything was read or counted."""
    if parts.back_pressure.is_full():
        raise Refused(backlog())
    return parts


async def _or_problem(respond: Callable[[], Awaitable[Response]]) -> Response:
    try:
        return await respond()
    except InvalidTransaction as error:
        problem = invalid(error.errors)
    except Refused as refused:
        problem = refused.problem
    except ClientDisconnect:
        return Response(status_code=400)
    except Exception as error:  # noqa: BLE001 - the door: counted, logged, answered with 500
        note_unexpected(error)
        return answer(posting_failed())
    _count_refusal(problem)
    return answer(problem)


async def _post_transaction(request: Request, parts: Parts) -> Response:
    with parts.bodies.holding(request.receive) as receive:
        body = await read_json_body(request.scope, receive, MAX_TRANSACTION_BYTES)
        item = parse_transaction(parse_json(body), now=parts.clock(), traceparent=traceparent(request.scope))
    [outcome] = await _submit([item], parts)
    if problem := _problem_of(outcome):
        raise Refused(problem)
    count(INGESTED)
    # An identifier holds nothing that JSON would escape.
    queued = f'{{"transaction_id":"{item.transaction.transaction_id}","status":"queued"}}'
    return Response(queued, 202, media_type="application/json")


async def _post_batch(request: Request, parts: Parts) -> Response:
    parsed = await _read_batch(request, parts)
    items = [item for item in parsed if isinstance(item, Item)]
    outcomes = await _submit(items, parts) if items else []
    if Verdict.UNCONFIRMED in outcomes and Verdict.QUEUED not in outcomes:
        raise Refused(unconfirmed())
    count(INGESTED, outcomes.count(Verdict.QUEUED))
    results = [*_results(parsed, iter(outcomes))]
    return Response(json.dumps({"results": results}), 200, media_type="application/json")


async def _read_batch(request: Request, parts: Parts) -> list[Item | Problem]:
    """Parsed JSON takes many times the memory of its bytes: one batch at a time."""
    with parts.bodies.holding(request.receive) as receive:
        body = await read_json_body(request.scope, receive, MAX_BATCH_BYTES)
        async with parts.parsing:
            return await _parse_all(_posted_list(parse_json(body)), parts.clock(), traceparent(request.scope))


def _posted_list(posted: Any) -> list[Any]:
    transactions = posted.get("transactions") if isinstance(posted, dict) else None
    if not isinstance(transactions, list):
        problem = 'The body must be an object with a list: {"transactions": [...]}.'
        raise InvalidTransaction([FieldError("/transactions", problem, "list_required")])
    if len(transactions) > MAX_BATCH_ITEMS:
        problem = f"A batch may hold at most {MAX_BATCH_ITEMS} transactions; send the rest in another."
        raise InvalidTransaction([FieldError("/transactions", problem, "too_many_items")])
    return transactions


async def _parse_all(posted: Sequence[Any], now: datetime, trace: str) -> list[Item | Problem]:
    """Each as an item or its problem; other requests get their turn in between."""
    parsed: list[Item | Problem] = []
    turn_ends = monotonic() + _TURN_SECONDS
    for each in posted:
        if monotonic() > turn_ends:
            await asyncio.sleep(0)
            turn_ends = monotonic() + _TURN_SECONDS
        try:
            parsed.append(parse_transaction(each, now=now, traceparent=trace))
        except InvalidTransaction as error:
            parsed.append(invalid(error.errors))
    return parsed


async def _submit(items: Sequence[Item], parts: Parts) -> Sequence[Outcome]:
    try:
        async with asyncio.timeout(ANSWER_WITHIN_SECONDS):
            return await parts.intake.submit(items)
    except QueueFull as full:
        raise Refused(queue_full()) from full
    except TimeoutError:
        return [Verdict.UNCONFIRMED] * len(items)


def _results(parsed: Sequence[Item | Problem], outcomes: Iterator[Outcome]) -> Iterator[dict[str, Any]]:
    for index, each in enumerate(parsed):
        problem = each if isinstance(each, Problem) else _problem_of(next(outcomes))
        if problem:
            _count_refusal(problem)
            yield {"index": index, "problem": problem.document()}
        elif isinstance(each, Item):
            yield {"index": index, "transaction_id": each.transaction.transaction_id, "status": "queued"}


def _problem_of(outcome: Outcome) -> Problem | None:
    if isinstance(outcome, Limited):
        return rate_limited(outcome.retry_after)
    if outcome is Verdict.QUEUED:
        return None
    return conflict() if outcome is Verdict.CONFLICTING else unconfirmed()


def note_unexpected(error: Exception) -> None:
    """Count and log an error that nobody foresaw."""
    count(REFUSED, reason=Kind.UNEXPECTED.reason)
    _logger.error("%s", error, exc_info=error, extra={"event": str(Event.UNEXPECTED_ERROR)})


def _count_refusal(problem: Problem) -> None:
    card_data = problem.kind is Kind.INVALID and problem.errors[0].code == "card_data"
    count(REFUSED, reason="card_data" if card_data else problem.kind.reason)
