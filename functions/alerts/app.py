"""alerts' door: the ASGI app with the stream, the routes and the dashboard.

`python -m uvicorn functions.alerts.app:app --factory --timeout-graceful-shutdown 5 --ws-per-message-deflate false`
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from functions.alerts.background import running
from functions.alerts.dashboard import show_dashboard
from functions.alerts.operations import operations
from functions.alerts.parts import Parts
from functions.alerts.problems import answer_with_problems
from functions.alerts.routes import routes
from functions.alerts.session import serve
from functions.alerts.wiring import wire
from shared.settings import Settings
from shared.telemetry.logs import configure_logs
from shared.telemetry.metrics import configure_metrics


def app() -> FastAPI:
    """The app of this process, as the environment's settings say."""
    settings = Settings()
    configure_logs("alerts", settings.log_level)
    configure_metrics("alerts")
    return create_app(wire(settings))


def create_app(parts: Parts) -> FastAPI:
    """The app over these parts; its background work runs while it is up."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with running(parts):
            yield

    served = FastAPI(
        title="FraudSense alerts",
        lifespan=lifespan,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    answer_with_problems(served)
    served.include_router(routes(parts))
    served.include_router(operations(parts))
    show_dashboard(served)

    @served.websocket("/alerts/stream")
    async def stream(websocket: WebSocket) -> None:
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
