"""The problems that ingest can answer with, each as one constructor, and how they leave as HTTP."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Any

from starlette.responses import Response

from shared.domain.errors import FraudSenseError
from shared.messages.transaction_errors import FieldError
from shared.problems import MEDIA_TYPE, problem

RETRY_SOON = timedelta(seconds=1)
RETRY_LATER = timedelta(seconds=5)


class Kind(Enum):
    """Kind of problem: status and title. Its name is the `reason` of the metric and the end of its `type`."""

    NOT_FOUND = (404, "Not found")
    METHOD_NOT_ALLOWED = (405, "Method not allowed")
    CONFLICT = (409, "This id was accepted with other content")
    TOO_LARGE = (413, "The body is too large")
    MEDIA_TYPE = (415, "The content type is not supported")
    INVALID = (422, "The transaction is not valid")
    RATE_LIMITED = (429, "Too many transactions of this account")
    UNEXPECTED = (500, "Unexpected error")
    QUEUE_FULL = (503, "Too many transactions are waiting")
    UNCONFIRMED = (503, "The queue did not confirm")
    UNAVAILABLE = (503, "A service is away")

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.value[0]

    @property
    def title(self) -> str:
        """What all problems of this kind are called."""
        return self.value[1]

    @property
    def reason(self) -> str:
        """The value of the metric's label."""
        return self.name.lower()

    @property
    def type(self) -> str:
        """The problem type's URI."""
        return f"urn:fraudsense:problem:{self.reason.replace('_', '-')}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: its kind, a sentence that names the next step, and what goes beside it."""

    kind: Kind
    detail: str
    errors: Sequence[FieldError] = ()
    retry_after: timedelta | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The members of the problem document; in a batch the wait is a member, as an item has no headers."""
        members = problem(self.kind.status, self.kind.title, self.detail, type=self.kind.type, errors=self.errors)
        return members | ({"retry_after": self._seconds()} if self.retry_after is not None else {})

    def response(self) -> Response:
        """The problem as an HTTP response."""
        headers = dict(self.headers)
        if self.retry_after is not None:
            headers["Retry-After"] = str(self._seconds())
        return Response(json.dumps(self.document()), self.kind.status, headers, MEDIA_TYPE)

    def _seconds(self) -> int:
        return max(1, math.ceil((self.retry_after or RETRY_SOON).total_seconds()))


class Refused(FraudSenseError):
    """The request is refused with `problem`."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def invalid(errors: Iterable[FieldError]) -> Problem:
    """422 with every field error."""
    return Problem(
        Kind.INVALID, "Correct what `errors` lists and send it again; nothing was queued.", tuple(errors)
    )


def conflict() -> Problem:
    """409."""
    return Problem(
        Kind.CONFLICT,
        "A transaction with this id but other content was accepted before; give a new transaction a new id.",
    )


def too_large(limit: int) -> Problem:
    """413."""
    return Problem(Kind.TOO_LARGE, f"The body may have at most {limit} bytes; send less at a time.")


def wrong_media_type() -> Problem:
    """415."""
    return Problem(
        Kind.MEDIA_TYPE, "Send JSON in UTF-8, uncompressed, with Content-Type: application/json.",
        headers={"Accept": "application/json"},
    )  # fmt: skip


def rate_limited(retry_after: timedelta) -> Problem:
    """429; `retry_after` is when the account's next place is free."""
    return Problem(
        Kind.RATE_LIMITED,
        "This account reached its number of transactions a minute; send it again after Retry-After seconds.",
        retry_after=retry_after,
    )


def queue_full() -> Problem:
    """503 of a publishing queue that has no room; nothing was queued."""
    return Problem(
        Kind.QUEUE_FULL,
        "Nothing was queued; send the same again after Retry-After seconds.",
        retry_after=RETRY_SOON,
    )


def unconfirmed() -> Problem:
    """503 of a broker that did not confirm."""
    return Problem(
        Kind.UNCONFIRMED,
        "Whether it was queued is unknown; send the same again after Retry-After seconds, it is harmless.",
        retry_after=RETRY_LATER,
    )


def unavailable(service: str) -> Problem:
    """503 of a service that a read needs."""
    return Problem(
        Kind.UNAVAILABLE,
        f"{service} does not answer; try again after Retry-After seconds.",
        retry_after=RETRY_LATER,
    )


def not_found(detail: str) -> Problem:
    """404."""
    return Problem(Kind.NOT_FOUND, detail)


def method_not_allowed(allowed: str) -> Problem:
    """405; `allowed` is the Allow header."""
    return Problem(Kind.METHOD_NOT_ALLOWED, f"Use {allowed} here.", headers={"Allow": allowed})


def unexpected() -> Problem:
    """500."""
    return Problem(
        Kind.UNEXPECTED, "Whether it was queued is unknown; send the same again, and tell us if it stays so."
    )
