"""Ingest's door in the Functions host: one anonymous HTTP trigger on every path, FastAPI behind it."""

import azure.functions as func

from functions.ingest.app import create_app
from functions.ingest.wiring import once_per_loop, wire
from shared.broker.selection import expect_publisher
from shared.settings import Settings


def blueprint(settings: Settings) -> func.Blueprint:
    """The function `ingest`; its attribute `asgi_app` is the app itself, for servers that speak ASGI.

    Raises UserError where the settings do not say how to reach their broker.
    """
    expect_publisher(settings)
    app = create_app(once_per_loop(lambda: wire(settings)))
    adapter = func.AsgiMiddleware(app)  # type: ignore[no-untyped-call]
    group = func.Blueprint()  # type: ignore[no-untyped-call]

    async def ingest(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        return await adapter.handle_async(req, context)  # type: ignore[no-any-return]

    ingest.asgi_app = app  # type: ignore[attr-defined]
    route = group.route(route="{*route}", auth_level=func.AuthLevel.ANONYMOUS)
    group.function_name("ingest")(route(ingest))
    return group
