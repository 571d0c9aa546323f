"""The HTTP routes of alerts: list, look at one, take a step."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from functions.alerts.handler import find_alert, list_alerts, take_step
from functions.alerts.models import AlertDetails, AlertPage, AlertQuery, Closing, Step
from functions.alerts.parts import Parts
from shared.domain.alert import Action
from shared.problem_answers import problem_responses
from shared.problems import Kind

LISTED = problem_responses(Kind.INVALID, Kind.UNAVAILABLE)
FOUND = problem_responses(Kind.NOT_FOUND, Kind.UNAVAILABLE)
STEPPED = problem_responses(
    Kind.NOT_FOUND, Kind.LIFE_CYCLE, Kind.TOO_LARGE, Kind.MEDIA_TYPE, Kind.INVALID, Kind.UNAVAILABLE
)


def routes(parts: Parts) -> APIRouter:
    """The routes over these parts."""
    router = APIRouter(prefix="/alerts", tags=["alerts"])

    @router.get("", summary="List alerts, newest first", responses=LISTED)
    async def list_(query: Annotated[AlertQuery, Query()]) -> AlertPage:
        return await list_alerts(parts.alerts, query.filters(), query.cursor, query.limit)

    @router.get("/{alert_id}", summary="One alert with every step taken", responses=FOUND)
    async def find(alert_id: UUID) -> AlertDetails:
        return await find_alert(parts.alerts, alert_id)

    @router.post("/{alert_id}/acknowledge", summary="Say that someone looks at it", responses=STEPPED)
    async def acknowledge(alert_id: UUID, step: Step) -> AlertDetails:
        return await take_step(parts.alerts, alert_id, Action.ACKNOWLEDGE, step, parts.clock())

    @router.post("/{alert_id}/close", summary="Say what it turned out to be", responses=STEPPED)
    async def close(alert_id: UUID, step: Closing) -> AlertDetails:
        return await take_step(parts.alerts, alert_id, Action.CLOSE, step, parts.clock())

    @router.post("/{alert_id}/reopen", summary="Take it up again", responses=STEPPED)
    async def reopen(alert_id: UUID, step: Step) -> AlertDetails:
        return await take_step(parts.alerts, alert_id, Action.REOPEN, step, parts.clock())

    return router
