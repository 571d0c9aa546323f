"""What the HTTP routes take and give: alerts with their life cycle, pages of them, and analysts' steps."""

from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.domain.alert import Action, AlertStatus, Disposition
from shared.domain.alert_record import AlertFilter, AlertRecord
from shared.domain.decision import RiskLabel
from shared.messages.alert_out import AlertOut, Instant, announced_fields
from shared.messages.free_text import Name, Note
from shared.messages.transaction_in import Identifier


class AlertQuery(BaseModel):
    """Which alerts to list. An unknown parameter is refused: a misspelt filter must not look like an answer."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    status: AlertStatus | None = None
    risk_label: RiskLabel | None = None
    account_id: Identifier | None = None
    merchant_id: Identifier | None = None
    min_risk: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    since: AwareDatetime | None = Field(None, description="Raised at or after")
    until: AwareDatetime | None = Field(None, description="Raised before")
    cursor: str | None = Field(None, description="`next_cursor` of the page before")
    limit: int = Field(50, ge=1, le=200)

    def filters(self) -> AlertFilter:
        """What an alert must meet."""
        return AlertFilter(**self.model_dump(exclude={"cursor", "limit"}))


class Step(BaseModel):
    """An analyst's step: who takes it, and a note."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    by: Name
    note: Note | None = None


class Closing(Step):
    """The step that closes an alert, with what it turned out to be."""

    disposition: Disposition


class AlertView(AlertOut):
    """An alert with where it stands."""

    status: AlertStatus
    announced_at: Instant | None
    acknowledged_at: Instant | None
    closed_at: Instant | None
    disposition: Disposition | None


class EventView(BaseModel):
    """One step of an alert's life cycle: `status` is the one after it."""

    model_config = ConfigDict(from_attributes=True)

    action: Action
    status: AlertStatus
    by: str
    note: str | None
    disposition: Disposition | None
    at: Instant


class AlertDetails(AlertView):
    """An alert with every step taken, oldest first."""

    events: list[EventView]


class AlertPage(BaseModel):
    """Alerts, newest first; `next_cursor` asks for the older ones and is null on the last page."""

    items: list[AlertView]
    next_cursor: str | None


def view(record: AlertRecord) -> AlertView:
    """An alert as lists show it."""
    return AlertView(**announced_fields(record), **_standing(record))


def details(record: AlertRecord) -> AlertDetails:
    """An alert with every step taken."""
    events = [EventView.model_validate(event) for event in record.events]
    return AlertDetails(**announced_fields(record), **_standing(record), events=events)


def _standing(record: AlertRecord) -> dict[str, Any]:
    names = AlertView.model_fields.keys() - AlertOut.model_fields.keys()
    return {name: getattr(record, name) for name in names}
