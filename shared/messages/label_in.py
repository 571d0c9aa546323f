"""A posted label: what is accepted. Both doors, HTTP and the import of files, parse with it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from shared.domain.alert import Disposition
from shared.domain.card_data import find_card_data
from shared.domain.errors import FraudSenseError
from shared.domain.labels import Label
from shared.messages.free_text import Name, Note
from shared.messages.transaction_errors import MAX_AHEAD, InvalidTransaction, parse_instant
from shared.messages.transaction_in import Identifier, Timestamp
from shared.problems import FieldError, pointer

Source = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
_CARD_DATA = "Card numbers, CVV, PIN and track data are never accepted; remove this field."
_AHEAD = "Must not lie more than 5 minutes in the future; check the sender's clock."


class LabelIn(BaseModel):
    """What a transaction turned out to be, by one source. An unknown field is refused."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, title="LabelIn")

    transaction_id: Identifier = Field(description="Of a transaction that may still be to come")
    label: Disposition
    source: Source = Field(description="Who found out: chargeback, analyst, or a name of your own")
    by: Name = Field(description="The person or system that says so")
    known_at: Timestamp | None = Field(
        None,
        description="Since when it is known, RFC 3339 with zone, at most 5 minutes ahead; now where left out",
        json_schema_extra={"format": "date-time"},
    )
    note: Note | None = None


class InvalidLabel(FraudSenseError):
    """The label is not valid."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{e.pointer.removeprefix('/') or 'label'}: {e.detail}" for e in errors))
        self.errors = tuple(errors)


def parse_label(posted: object, *, now: datetime) -> Label:
    """Validate parsed JSON as a label; raises InvalidLabel with every field error, card data first."""
    if (place := find_card_data(posted)) is not None:
        raise InvalidLabel([FieldError(place, _CARD_DATA, "card_data")])
    try:
        model = LabelIn.model_validate(posted)
    except ValidationError as error:
        raise InvalidLabel([*_field_errors(error)]) from None
    return Label(
        transaction_id=model.transaction_id,
        source=model.source,
        verdict=model.label,
        known_at=_known_at(model.known_at, now),
        by=model.by,
        note=model.note,
    )


def _field_errors(error: ValidationError) -> Iterator[FieldError]:
    details: list[Any] = error.errors(include_url=False, include_input=False, include_context=False)
    for each in details:
        yield FieldError(pointer(each["loc"]), each["msg"], each["type"])


def _known_at(text: str | None, now: datetime) -> datetime:
    if text is None:
        return now
    try:
        known_at = parse_instant(text, "/known_at")
    except InvalidTransaction as error:
        raise InvalidLabel([*error.errors]) from error
    if known_at > now + MAX_AHEAD:
        raise InvalidLabel([FieldError("/known_at", _AHEAD, "time_in_future")])
    return known_at
