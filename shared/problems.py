"""Problem documents (RFC 9457): how every HTTP door tells a caller what went wrong and what to do."""

from collections.abc import Iterable
from typing import Any, Protocol

MEDIA_TYPE = "application/problem+json"


class FieldProblem(Protocol):
    """What is wrong with one field: its JSON pointer, a sentence, and a stable code; never the value itself."""

    @property
    def pointer(self) -> str:
        """JSON pointer into the body, or the name of a query parameter."""

    @property
    def detail(self) -> str:
        """A sentence."""

    @property
    def code(self) -> str:
        """Stable name of the rule."""


def problem(
    status: int,
    title: str,
    detail: str,
    *,
    type: str = "about:blank",
    errors: Iterable[FieldProblem] = (),
) -> dict[str, Any]:
    """The members of a problem document, to be sent with MEDIA_TYPE and `status`.

    `title` names the kind of problem, `detail` is a sentence about this one that names the next step;
    `errors` (left out where empty) lists every field error as {"pointer", "detail", "code"}.
    """
    document: dict[str, Any] = {"type": type, "title": title, "status": status, "detail": detail}
    fields = [{"pointer": each.pointer, "detail": each.detail, "code": each.code} for each in errors]
    return document | ({"errors": fields} if fields else {})
