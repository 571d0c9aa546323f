"""Errors as problem documents: one table from what went wrong to the answer."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from shared.domain.errors import DatabaseUnavailable, FraudSenseError, LifeCycleViolation
from shared.problems import MEDIA_TYPE, problem
from shared.telemetry.logs import Event

_logger = logging.getLogger(__name__)


class AlertNotFound(FraudSenseError):
    """No alert has this id; GET /alerts lists those there are."""


class InvalidCursor(FraudSenseError):
    """`cursor` is not one that this service gave out; leave it out to start at the newest alert."""


@dataclass(frozen=True, slots=True)
class _FieldError:
    pointer: str
    detail: str
    code: str


class ProblemResponse(JSONResponse):
    """A problem document as an HTTP response."""

    media_type = MEDIA_TYPE


def _answer(
    status: int,
    title: str,
    detail: str,
    *,
    errors: Sequence[_FieldError] = (),
    headers: dict[str, str] | None = None,
) -> ProblemResponse:
    kind = f"urn:fraudsense:problem:{title.lower().replace(' ', '-')}"
    return ProblemResponse(problem(status, title, detail, type=kind, errors=errors), status, headers)


def _not_found(_: Request, error: Exception) -> ProblemResponse:
    return _answer(404, "Not found", str(error))


def _conflict(_: Request, error: Exception) -> ProblemResponse:
    return _answer(409, "Conflict", str(error))


def _bad_cursor(_: Request, error: Exception) -> ProblemResponse:
    return _invalid([_FieldError("/cursor", str(error), "invalid_cursor")])


def _unavailable(_: Request, error: Exception) -> ProblemResponse:
    detail = f"{error} Try again after Retry-After seconds."
    return _answer(503, "Unavailable", detail, headers={"Retry-After": "2"})


def _unexpected(_: Request, error: Exception) -> ProblemResponse:
    _logger.error("unexpected error", exc_info=error, extra={"event": Event.UNEXPECTED_ERROR})
    return _answer(500, "Unexpected error", "The request failed; try again, and tell us if it stays so.")


def _http_error(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    title = {404: "Not found", 405: "Method not allowed"}.get(error.status_code, "Refused")
    detail = f"{error.detail}; /docs lists the routes and what they take."
    return _answer(error.status_code, title, detail, headers=dict(error.headers or {}))


def _invalid_request(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    if request.method == "POST" and "json" not in request.headers.get("Content-Type", ""):
        return _answer(415, "Unsupported media type", "Send JSON with Content-Type: application/json.")
    if any(each["loc"][0] == "path" for each in error.errors()):
        return _answer(404, "Not found", str(AlertNotFound()))
    return _invalid([*_field_errors(error.errors())])


def _invalid(errors: Sequence[_FieldError]) -> ProblemResponse:
    return _answer(422, "Invalid request", "Correct what `errors` lists and send it again.", errors=errors)


def _field_errors(errors: Sequence[Any]) -> Iterator[_FieldError]:
    """The place inside the body or the query, never the value."""
    for each in errors:
        place = each["loc"][1:] if each["type"] != "json_invalid" else ()
        yield _FieldError("".join(f"/{part}" for part in place), each["msg"], each["type"])


HANDLERS = {
    AlertNotFound: _not_found,
    LifeCycleViolation: _conflict,
    InvalidCursor: _bad_cursor,
    DatabaseUnavailable: _unavailable,
    RequestValidationError: _invalid_request,
    HTTPException: _http_error,
    Exception: _unexpected,
}


def answer_with_problems(app: FastAPI) -> None:
    """Make every error of `app` a problem document."""
    for error, handler in HANDLERS.items():
        app.add_exception_handler(error, handler)
