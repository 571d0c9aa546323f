"""Problem documents (RFC 9457): how every HTTP door tells a caller what went wrong and what to do."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Any

from shared.domain.card_data import reference_token
from shared.domain.errors import FraudSenseError

MEDIA_TYPE = "application/problem+json"
RETRY_SOON = timedelta(seconds=1)
RETRY_LATER = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field: its JSON pointer, a sentence, and a stable code. Never the value itself."""

    pointer: str
    detail: str
    code: str


class Kind(Enum):
    """Kind of problem: status and title. Its name is the `reason` of the metric and the end of its `type`."""

    NOT_FOUND = (404, "Not found")
    METHOD_NOT_ALLOWED = (405, "Method not allowed")
    CONFLICT = (409, "This id was accepted with other content")
    LIFE_CYCLE = (409, "The alert's status does not allow this step")
    TOO_LARGE = (413, "The body is too large")
    MEDIA_TYPE = (415, "The content type is not supported")
    INVALID = (422, "What was sent is not valid")
    RATE_LIMITED = (429, "Too many transactions of this account")
    UNEXPECTED = (500, "Unexpected error")
    QUEUE_FULL = (503, "Too many transactions are waiting")
    BACKLOG = (503, "Too many transactions wait to be scored")
    UNCONFIRMED = (503, "The queue did not confirm")
    UNAVAILABLE = (503, "Not available at present")

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
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The members of the problem document, to be sent with MEDIA_TYPE; `errors` lists every field error.

        The wait is a member too, as an item of a batch has no headers.
        """
        members = {"type": self.kind.type, "title": self.kind.title, "status": self.kind.status}
        errors = [{"pointer": e.pointer, "detail": e.detail, "code": e.code} for e in self.errors]
        wait = {"retry_after": self._seconds()} if self.retry_after is not None else {}
        return members | {"detail": self.detail} | ({"errors": errors} if errors else {}) | wait

    def all_headers(self) -> dict[str, str]:
        """Its headers, Retry-After among them where there is a wait."""
        wait = {"Retry-After": str(self._seconds())} if self.retry_after is not None else {}
        return {**self.headers, **wait}

    def _seconds(self) -> int:
        return max(1, math.ceil((self.retry_after or RETRY_SOON).total_seconds()))


class Refused(FraudSenseError):
    """The request is refused with `problem`."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def pointer(parts: Iterable[str | int]) -> str:
    """The JSON pointer to these names and places (RFC 6901)."""
    return "".join(f"/{reference_token(str(part))}" for part in parts)


def invalid(errors: Iterable[FieldError], consequence: str) -> Problem:
    """422 with every field error; `consequence` says what was not done."""
    return Problem(Kind.INVALID, f"Correct what `errors` lists and send it again; {consequence}.", tuple(errors))


def too_large(limit: int) -> Problem:
    """413."""
    return Problem(Kind.TOO_LARGE, f"The body may have at most {limit} bytes; send less at a time.")


def wrong_media_type() -> Problem:
    """415."""
    return Problem(
        Kind.MEDIA_TYPE, "Send JSON in UTF-8, uncompressed, with Content-Type: application/json.",
        headers={"Accept": "application/json"},
    )  # fmt: skip


def not_found(detail: str = "There is nothing here; /docs lists what there is.") -> Problem:
    """404."""
    return Problem(Kind.NOT_FOUND, detail)


def method_not_allowed(allowed: str) -> Problem:
    """405; `allowed` is the Allow header."""
    return Problem(Kind.METHOD_NOT_ALLOWED, f"Use {allowed} here.", headers={"Allow": allowed})


def unavailable(reason: str) -> Problem:
    """503 of a process that lacks something; `reason` is a sentence."""
    return Problem(Kind.UNAVAILABLE, f"{reason} Try again after Retry-After seconds.", retry_after=RETRY_LATER)


def unexpected(consequence: str = "The request failed; try again") -> Problem:
    """500; `consequence` says what became of the request and what to do."""
    return Problem(Kind.UNEXPECTED, f"{consequence}, and tell us if it stays so.")
