"""A transaction as it is read back: what was stored and what was decided, flat."""

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.domain.decision import RiskLabel
from shared.messages.alert_out import Amount, Instant, ReasonOut

Status = Literal["queued", "scored", "rejected"]


class TransactionOut(BaseModel):
    """A transaction with its decision; every field but the id and the status is null until it is scored."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    transaction_id: str
    status: Status = Field("scored", description="`rejected`: it came through the queue and could not be scored")
    account_id: str | None = None
    merchant_id: str | None = None
    amount: Amount | None = None
    currency: str | None = None
    timestamp: Instant | None = None
    merchant_category: str | None = None
    geo_lat: float | None = None
    geo_lon: float | None = None
    home_lat: float | None = None
    home_lon: float | None = None
    channel: str | None = None
    device_id: str | None = None
    ip_address: str | None = None
    raw_payload: dict[str, Any] | None = Field(None, description="As posted, in canonical form")
    received_at: Instant | None = None
    created_at: Instant | None = Field(None, description="When it was recorded")
    score: float | None = Field(None, description="Risk in [0, 1]")
    risk_label: RiskLabel | None = None
    reasons: Sequence[ReasonOut] | None = Field(None, description="Strongest first")
    anomaly: float | None = Field(None, description="The forest's own score")
    model_version: str | None = None
    alert_id: UUID | None = Field(None, description="The alert it raised, if any")
