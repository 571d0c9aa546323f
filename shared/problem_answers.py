"""Problem documents as the FastAPI doors send them and describe them in OpenAPI."""

import json
from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import Response

from shared.problems import MEDIA_TYPE, Kind, Problem

_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 1}}}


class FieldProblemOut(BaseModel):
    """What is wrong with one field: where, in a sentence, and a stable code. Values are never repeated."""

    pointer: str = Field(description="JSON pointer into the body (RFC 6901), or to a parameter of the query")
    detail: str
    code: str


class ProblemOut(BaseModel):
    """Problem document (RFC 9457)."""

    type: str = Field(description="Names the kind of problem")
    title: str
    status: int
    detail: str = Field(description="A sentence that names the next step")
    errors: list[FieldProblemOut] | None = Field(None, description="With 422: every field error")
    retry_after: int | None = Field(None, description="With 429 and 503: seconds, as in Retry-After")


def answer(problem: Problem) -> Response:
    """The problem as an HTTP response."""
    return Response(json.dumps(problem.document()), problem.kind.status, problem.all_headers(), MEDIA_TYPE)


def problem_responses(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that can answer with these kinds of problem; see `with_schemas`."""
    responses: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        example = Problem(kind, "What to do next.").document()
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemOut"}, "example": example}}
        headers = _RETRY_AFTER if kind.status in (429, 503) else {}
        responses[kind.status] = {"description": kind.title, "content": content, "headers": headers}
    return responses


def with_schemas(document: dict[str, Any], *models: type[BaseModel]) -> dict[str, Any]:
    """The OpenAPI `document` with ProblemOut and further models that only our own references name."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    own_models: list[type[BaseModel]] = [*models, ProblemOut]
    for model in own_models:
        own = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= own.pop("$defs", {}) | {model.__name__: own}
    return document
