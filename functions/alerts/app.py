"""alerts' door: the ASGI app with stream, routes and dashboard; `python -m functions.alerts` serves it."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from functions.alerts.background import running
from functions.alerts.body_limit import LimitedBodies
from functions.alerts.dashboard import show_dashboard
from functions.alerts.labelling import LabelsIn, labelling
from functions.alerts.operations import operations
from functions.alerts.origin import is_foreign
from functions.alerts.parts import Parts
from functions.alerts.problems import answer_with_problems
from functions.alerts.routes import routes
from functions.alerts.session import serve
from functions.alerts.wiring import wire
from shared.problem_answers import with_schemas
from shared.settings import load_settings
from shared.telemetry.logs import Event, configure_logs, log
from shared.telemetry.metrics import configure_metrics

_logger = logging.getLogger(__name__)


def app() -> FastAPI:
    """The app of this process, as the environment's settings say."""
    settings = load_settings()
    configure_logs("alerts", settings.log_level)
    configure_metrics("alerts")
    return create_app(wire(settings))


class AlertsApp(FastAPI):
    """FastAPI, its OpenAPI document with the schema of problem documents."""

    def openapi(self) -> dict[str, Any]:
        """As the base class, with the schemas that our own references name."""
        return with_schemas(super().openapi(), LabelsIn)


def create_app(parts: Parts) -> FastAPI:
    """The app over these parts; its background work runs while it is up."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with running(parts):
            log(_logger, logging.INFO, Event.STARTED)
            yield
        log(_logger, logging.INFO, Event.STOPPED)

    served = AlertsApp(
        title="FraudSense alerts",
        lifespan=lifespan,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    served.add_middleware(LimitedBodies)
    answer_with_problems(served)
    served.include_router(routes(parts))
    served.include_router(labelling(parts))
    served.include_router(operations(parts))
    show_dashboard(served)

    @served.websocket("/alerts/stream")
    async def stream(websocket: WebSocket) -> None:
        if is_foreign(websocket.headers):
            await websocket.close()  # before it is accepted, the server makes this a 403
            return
        await websocket.accept()
        with suppress(WebSocketDisconnect):
            await serve(_Client(websocket), parts.hub, parts.alerts, websocket.query_params.get("after"))

    return served


class _Client:
    """A WebSocket as a stream's client."""

    def __init__(self, websocket: WebSocket) -> None:
        self.send = websocket.send_text
        self._websocket = websocket

    async def gone(self) -> None:
        while (await self._websocket.receive())["type"] != "websocket.disconnect":
            pass

    async def close(self, code: int, reason: str) -> None:
        await self._websocket.close(code, reason)
