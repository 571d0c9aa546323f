"""What the OpenAPI document says beyond FastAPI's own knowledge: bodies that we parse, and problem documents."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from functions.ingest.problems import Kind, Problem
from shared.messages.transaction_in import TransactionIn
from shared.problems import MEDIA_TYPE

EXAMPLE = {
    "transaction_id": "txn-20260115-000001",
    "account_id": "acct-814232e6ce",
    "merchant_id": "mer-b6fbf2d9",
    "amount": "118.03",
    "currency": "USD",
    "timestamp": "2026-01-15T12:00:00Z",
    "merchant_category": "grocery_pos",
    "geo_lat": 39.371138,
    "geo_lon": -80.501368,
}


class FieldProblemOut(BaseModel):
    """What is wrong with one field: where, in a sentence, and a stable code. Values are never repeated."""

    pointer: str = Field(description="JSON pointer into the transaction (RFC 6901)")
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


class Queued(BaseModel):
    """The broker confirmed the transaction; it will be scored."""

    transaction_id: str
    status: Literal["queued"]


class QueuedItem(Queued):
    """An item of a batch that was queued; `index` is its place in the posted list."""

    index: int


class RefusedItem(BaseModel):
    """An item of a batch that was not queued, or of which that is unknown (503)."""

    index: int
    problem: ProblemOut


class BatchOut(BaseModel):
    """One result per posted transaction, in order."""

    results: list[QueuedItem | RefusedItem]


class BatchIn(BaseModel):
    """Up to 1,000 transactions; each is accepted or refused by itself."""

    model_config = ConfigDict(title="BatchIn")

    transactions: list[TransactionIn] = Field(max_length=1_000)


_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 1}}}


def problem_responses(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that can answer with these kinds of problem."""
    responses: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        example = Problem(kind, "What to do next.").document()
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemOut"}, "example": example}}
        headers = _RETRY_AFTER if kind.status in (429, 503) else {}
        responses[kind.status] = {"description": kind.title, "content": content, "headers": headers}
    return responses


def json_body(model: type[BaseModel], example: object) -> dict[str, Any]:
    """The `openapi_extra` of a route that parses its own body as `model`."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}
    }


def with_own_schemas(document: dict[str, Any]) -> dict[str, Any]:
    """`document` with the schemas that only our own references name."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for model in (BatchIn, ProblemOut):
        own = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= own.pop("$defs", {}) | {model.__name__: own}
    return document
