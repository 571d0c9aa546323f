"""What the OpenAPI document says beyond FastAPI's own knowledge: the bodies that we parse, and the answers."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.messages.transaction_in import TransactionIn
from shared.problem_answers import ProblemOut

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


def json_body(model: type[BaseModel], example: object) -> dict[str, Any]:
    """The `openapi_extra` of a route that parses its own body as `model`."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}
    }
