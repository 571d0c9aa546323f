"""Routes for operators: health and metrics."""

import asyncio

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from functions.alerts.parts import Parts
from shared.domain.errors import DatabaseUnavailable
from shared.problem_answers import problem_responses
from shared.problems import Kind, Refused, unavailable
from shared.telemetry.metrics import render

PATIENCE_SECONDS = 3.0
NOT_READY = problem_responses(Kind.UNAVAILABLE)


def operations(parts: Parts) -> APIRouter:
    """The routes over these parts."""
    router = APIRouter(tags=["operations"])

    @router.get("/health", summary="Ready to serve analysts", responses=NOT_READY)
    @router.get("/health/ready", summary="Ready to serve analysts", responses=NOT_READY)
    async def ready() -> dict[str, str]:
        missing = await _missing(parts)
        if missing is not None:
            raise Refused(unavailable(missing))
        return {"status": "ready"}

    @router.get("/health/live", summary="The process answers")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @router.get("/metrics", summary="Metrics for Prometheus")
    async def metrics() -> Response:
        return Response(render(), media_type=CONTENT_TYPE_LATEST)

    return router


async def _missing(parts: Parts) -> str | None:
    """Why no analyst can be served, or None. Without Redis they can: alerts come from PostgreSQL each second."""
    try:
        await asyncio.wait_for(parts.alerts.check(), PATIENCE_SECONDS)
    except (DatabaseUnavailable, TimeoutError) as error:
        return str(error) or "PostgreSQL did not answer in time."
    return None if parts.hub.is_started else "The recorded alerts have not been read yet."
