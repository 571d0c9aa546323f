"""What the HTTP routes take and give: alerts with their life cycle, pages of them, and analysts' steps."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from shared.domain.alert import Action, AlertStatus, Disposition
from shared.domain.card_data import has_card_number
from shared.messages.alert_out import AlertOut, Instant


def _without_card_number(text: str) -> str:
    if has_card_number(text):
        raise PydanticCustomError("card_data", "Card numbers are never accepted; write the account id instead")
    return text


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]{1,64}$"),
    AfterValidator(_without_card_number),
]
Note = Annotated[
    str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$"), AfterValidator(_without_card_number)
]


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


class FieldProblemView(BaseModel):
    """What is wrong with one field."""

    pointer: str
    detail: str
    code: str


class ProblemView(BaseModel):
    """A problem document (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblemView] = Field(default_factory=list, description="Every field error of a 422")
