"""An alert on the wire: what is announced on the live feed and sent to dashboards."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.types import AwareDatetime

from shared.domain.alert import Alert
from shared.domain.decision import Reason, RiskLabel
from shared.messages.transaction_in import rfc3339

Instant = Annotated[AwareDatetime, PlainSerializer(rfc3339, return_type=str, when_used="json")]
"""An aware instant; in JSON in UTC with `Z`."""

Amount = Annotated[
    Decimal, PlainSerializer(lambda amount: format(amount.normalize(), "f"), return_type=str, when_used="json")
]
"""Major units; in JSON a plain decimal string without trailing zeros."""


class ReasonOut(BaseModel):
    """Why a risk is what it is: a stable code, a sentence, the observed and the usual value."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    code: str
    text: str
    observed: str
    usual: str


class AlertOut(BaseModel):
    """An alert as announced. `seq` orders alerts; the feed is at least once: deduplicate by `seq`."""

    model_config = ConfigDict(frozen=True)

    alert_id: UUID
    transaction_id: str
    account_id: str
    amount: Amount
    currency: str
    merchant_id: str
    risk: float = Field(ge=0, le=1)
    risk_label: RiskLabel
    reason: str = Field(description="The strongest reason's code")
    reasons: Sequence[ReasonOut]
    threshold: float
    model_version: str
    occurred_at: Instant
    created_at: Instant
    seq: int = Field(gt=0)


def alert_out(alert: Alert) -> AlertOut:
    """The announced form of a recorded alert."""
    return AlertOut(**announced_fields(alert))


def announced_fields(alert: Alert) -> dict[str, Any]:
    """The fields of AlertOut, by name."""
    return {
        "alert_id": alert.alert_id,
        "transaction_id": alert.transaction_id,
        "account_id": alert.account_id,
        "amount": alert.amount,
        "currency": alert.currency,
        "merchant_id": alert.merchant_id,
        "risk": alert.risk,
        "risk_label": alert.risk_label,
        "reason": alert.reason,
        "reasons": [_reason_out(each) for each in alert.reasons],
        "threshold": alert.threshold,
        "model_version": alert.model_version,
        "occurred_at": alert.occurred_at,
        "created_at": alert.created_at,
        "seq": alert.seq,
    }


def _reason_out(reason: Reason) -> ReasonOut:
    return ReasonOut(code=reason.code, text=reason.text, observed=reason.observed, usual=reason.usual)
