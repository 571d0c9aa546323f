"""Errors as problem documents: one table from what went wrong to the answer."""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from shared import problems
from shared.domain.card_data import has_card_number
from shared.domain.errors import DatabaseUnavailable, FraudSenseError, LifeCycleViolation
from shared.problem_answers import answer
from shared.problems import FieldError, Kind, Problem, Refused
from shared.telemetry.logs import Event

_logger = logging.getLogger(__name__)


class AlertNotFound(FraudSenseError):
    """No alert has this id; GET /alerts lists those there are."""


class InvalidCursor(FraudSenseError):
    """`cursor` is not one that this service gave out; leave it out to start at the newest alert."""


def _refused(_: Request, error: Exception) -> Problem:
    assert isinstance(error, Refused)  # noqa: S101 - registered for this class only
    return error.problem


def _not_found(_: Request, error: Exception) -> Problem:
    return problems.not_found(str(error))


def _conflict(_: Request, error: Exception) -> Problem:
    return Problem(Kind.LIFE_CYCLE, str(error))


def _bad_cursor(_: Request, error: Exception) -> Problem:
    return _invalid([FieldError("/cursor", str(error), "invalid_cursor")])


def _unavailable(_: Request, error: Exception) -> Problem:
    return problems.unavailable(str(error))


def _unexpected(_: Request, error: Exception) -> Problem:
    _logger.error("unexpected error", exc_info=error, extra={"event": Event.UNEXPECTED_ERROR})
    return problems.unexpected()


def _http_error(_: Request, error: Exception) -> Problem:
    """What FastAPI refuses itself: 404, 405, and as 400 a body that is not UTF-8."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    if error.status_code == 400:
        return _invalid([_NOT_JSON])
    if error.status_code == 405:
        return problems.method_not_allowed((error.headers or {}).get("Allow", ""))
    return problems.not_found()


def _invalid_request(request: Request, error: Exception) -> Problem:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    if request.method == "POST" and "json" not in request.headers.get("Content-Type", ""):
        return problems.wrong_media_type()
    if any(each["loc"][0] == "path" for each in error.errors()):
        return _not_found(request, AlertNotFound())
    return _invalid(_field_errors(error.errors()))


def _invalid(errors: Iterable[FieldError]) -> Problem:
    return problems.invalid(errors, "nothing was changed")


_NOT_JSON = FieldError("", "The body is not JSON in UTF-8.", "invalid_json")


def _field_errors(errors: Iterable[Any]) -> Iterator[FieldError]:
    """The place inside the body or the query, never the value; the caller chose the names of unknown fields."""
    for each in errors:
        place = each["loc"][1:]
        if each["type"] == "json_invalid":
            yield _NOT_JSON
        elif any(has_card_number(str(name)) for name in place):
            yield FieldError("", "Card numbers are never accepted; remove the field of that name.", "card_data")
        else:
            yield FieldError(problems.pointer(place), each["msg"], each["type"])


HANDLERS: dict[type[Exception], Callable[[Request, Exception], Problem]] = {
    Refused: _refused,
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
    for error, problem_of in HANDLERS.items():
        app.add_exception_handler(error, _answering(problem_of))


def _answering(problem_of: Callable[[Request, Exception], Problem]) -> Callable[[Request, Exception], Response]:
    def handle(request: Request, error: Exception) -> Response:
        return answer(problem_of(request, error))

    return handle
