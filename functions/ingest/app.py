"""Ingest's HTTP app: the routes, their documentation, and what becomes of errors."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from functions.ingest.openapi import EXAMPLE, BatchIn, BatchOut, Queued, json_body
from functions.ingest.parts import Parts
from functions.ingest.posting import Endpoint, note_unexpected, posting_endpoints
from functions.ingest.reading import add_reading_routes
from shared.messages.transaction_in import TransactionIn
from shared.problem_answers import answer, problem_responses, with_schemas
from shared.problems import Kind, Refused, method_not_allowed, not_found, unexpected

_POSTING_PROBLEMS = problem_responses(
    Kind.CONFLICT, Kind.TOO_LARGE, Kind.MEDIA_TYPE, Kind.INVALID, Kind.RATE_LIMITED, Kind.UNCONFIRMED
)
_BATCH_PROBLEMS = problem_responses(Kind.TOO_LARGE, Kind.MEDIA_TYPE, Kind.INVALID, Kind.UNCONFIRMED)


class IngestApp(FastAPI):
    """FastAPI, but the posting routes skip its per-request machinery; it still routes and documents them."""

    posting: Mapping[str, Endpoint] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        endpoint = self.posting.get(scope["path"]) if scope.get("method") == "POST" else None
        if endpoint is not None:
            response = await endpoint(Request(scope, receive))
            await response(scope, receive, send)
            return
        try:
            await super().__call__(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - _answer_unexpected answered it; the server has nothing to add
            note_unexpected(error)

    def openapi(self) -> dict[str, Any]:
        """FastAPI's document, with the schemas of the bodies that we parse."""
        return with_schemas(super().openapi(), BatchIn)


def create_app(parts: Callable[[], Parts]) -> FastAPI:
    """The app over these parts, asked for at each request; it has no lifespan."""
    app = IngestApp(
        title="FraudSense ingest",
        description="Send card transactions; read back what became of them.",
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    _add_posting_routes(app, parts)
    add_reading_routes(app, parts)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(Refused, _answer_refusal)
    app.add_exception_handler(Exception, _answer_unexpected)
    return app


def _add_posting_routes(app: IngestApp, parts: Callable[[], Parts]) -> None:
    post_transaction, post_batch = posting_endpoints(parts)
    app.posting = {"/transactions": post_transaction, "/transactions/batch": post_batch}
    app.add_api_route(
        "/transactions",
        post_transaction,
        methods=["POST"],
        status_code=202,
        response_model=Queued,
        tags=["transactions"],
        summary="Send a transaction",
        description="202: the queue confirmed it and it will be scored. 4xx: it was not queued. 503, or no "
        "answer: that is unknown; send the same id again, it is harmless.",
        responses=_POSTING_PROBLEMS,
        openapi_extra=json_body(TransactionIn, EXAMPLE),
    )
    app.add_api_route(
        "/transactions/batch",
        post_batch,
        methods=["POST"],
        response_model=BatchOut,
        tags=["transactions"],
        summary="Send up to 1,000 transactions",
        description="200: one result per transaction, in order. 503: none was confirmed.",
        responses=_BATCH_PROBLEMS,
        openapi_extra=json_body(BatchIn, {"transactions": [EXAMPLE]}),
    )


async def _answer_http_error(_: Request, error: Exception) -> Response:
    """What routing refuses: 404 and 405."""
    if isinstance(error, HTTPException) and error.status_code == 405:
        return answer(method_not_allowed((error.headers or {}).get("Allow", "")))
    return answer(not_found())


async def _answer_unexpected(_: Request, __: Exception) -> Response:
    return answer(unexpected())


async def _answer_refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101 - registered for it only
    return answer(error.problem)
