"""A posted transaction: what is accepted, and its canonical form. Both doors, HTTP and queue, parse with it."""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic import ValidationError as PydanticValidationError
from pydantic_core import PydanticCustomError, from_json

from shared.domain.currencies import CURRENCIES
from shared.domain.transaction import Place, Transaction
from shared.messages.json_size import surely_longer
from shared.messages.transaction_errors import (
    MAX_AHEAD,
    PLACES,
    RFC3339,
    InvalidTransaction,
    form_errors,
    further_errors,
    parse_instant,
)
from shared.problems import FieldError

MAX_TRANSACTION_BYTES = 16 * 1024
LONGEST_ON_ITS_WAY = timedelta(days=30)
"""No message waits longer in a queue; an earlier receipt is a producer's mistake and counts as this."""
IDENTIFIER = r"^[A-Za-z0-9._:@+-]{1,64}$"
_AMOUNT = r"^[0-9]{1,12}(\.[0-9]{1,4})?$"
_AMOUNT_FORM = re.compile(_AMOUNT)


def _amount_form(value: object) -> object:
    wrong_text = isinstance(value, str) and not _AMOUNT_FORM.fullmatch(value)
    if wrong_text or isinstance(value, bool):
        raise PydanticCustomError("amount_form", "not an amount")
    return value


def _known_currency(value: str) -> str:
    if value not in CURRENCIES:
        raise PydanticCustomError("unknown_currency", "not a currency")
    return value


Identifier = Annotated[str, StringConstraints(pattern=IDENTIFIER)]
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,64}$")]
Latitude = Annotated[float, Field(strict=True, ge=-90, le=90)]
Longitude = Annotated[float, Field(strict=True, ge=-180, le=180)]
Amount = Annotated[
    Decimal,
    Field(gt=0, max_digits=16, decimal_places=4, allow_inf_nan=False),
    BeforeValidator(_amount_form, json_schema_input_type=float | Annotated[str, Field(pattern=_AMOUNT)]),
]
Currency = Annotated[str, AfterValidator(_known_currency)]
Timestamp = Annotated[str, StringConstraints(pattern=RFC3339)]


class TransactionIn(BaseModel):
    """A transaction as posted. Unknown fields are kept; card numbers and CVV, PIN or track fields are refused."""

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True, title="TransactionIn")

    transaction_id: Identifier = Field(
        description="The sender's own id; the same id again is the same transaction"
    )
    account_id: Identifier = Field(description="A token for the card or account, never its number")
    merchant_id: Identifier
    amount: Amount = Field(
        description="In major units, positive, at most 12 digits before the point and 4 after; number or string"
    )
    currency: Currency = Field(description="ISO 4217 alphabetic code", json_schema_extra={"pattern": "^[A-Z]{3}$"})
    timestamp: Timestamp = Field(
        description="RFC 3339 with zone; at most 5 minutes ahead", json_schema_extra={"format": "date-time"}
    )
    merchant_category: Text | None = None
    geo_lat: Latitude | None = Field(None, description="Where it happened, degrees (WGS 84); with geo_lon")
    geo_lon: Longitude | None = None
    home_lat: Latitude | None = Field(None, description="The card holder's home, degrees; with home_lon")
    home_lon: Longitude | None = None
    channel: Text | None = None
    device_id: Text | None = None
    ip_address: Text | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """A valid transaction on its way: the value, its canonical JSON, the hash of that, and how it came here."""

    transaction: Transaction
    payload: bytes
    content_hash: bytes
    received_at: datetime
    traceparent: str | None = None


def parse_json(body: bytes) -> Any:
    """Parsed JSON; raises InvalidTransaction (code `invalid_json`) where `body` is not JSON in UTF-8."""
    try:
        return from_json(body, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        raise InvalidTransaction(
            [FieldError("", f"The body is not valid JSON: {error}.", "invalid_json")]
        ) from error


def parse_transaction(
    posted: object, *, now: datetime, received_at: datetime | None = None, traceparent: str | None = None
) -> Item:
    """Validate parsed JSON as a transaction; both doors use it, so the queue is as strict as HTTP.

    Raises InvalidTransaction with every field error; the first one's code is `card_data` where there is any. What
    is larger than MAX_TRANSACTION_BYTES is `too_large` and not searched any further.
    """
    model, occurred_at = _valid(posted, now)
    payload = _canonical(model, occurred_at)
    return Item(
        transaction=_to_domain(model, occurred_at),
        payload=payload,
        content_hash=hashlib.sha256(payload).digest(),
        received_at=max(min(received_at or now, now), now - LONGEST_ON_ITS_WAY),
        traceparent=traceparent,
    )


def valid_transaction(posted: object, *, now: datetime) -> Transaction:
    """As `parse_transaction`, for who only wants the value: canonical form and hash cost half of the whole."""
    return _to_domain(*_valid(posted, now))


def rfc3339(moment: datetime) -> str:
    """An aware instant in UTC with `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _valid(posted: object, now: datetime) -> tuple[TransactionIn, datetime]:
    if not _has_known_fields_only(posted):
        _expect_moderate(posted)
    try:
        model = TransactionIn.model_validate(posted)
        occurred_at = parse_instant(model.timestamp, "/timestamp")
    except PydanticValidationError as error:
        _expect_moderate(posted)
        details = error.errors(include_url=False, include_input=False, include_context=False)
        raise InvalidTransaction([*further_errors(posted, now), *form_errors(details)]) from None
    except InvalidTransaction:
        raise InvalidTransaction([*further_errors(posted, now)]) from None
    if not _is_plain(model, occurred_at, now):
        _look_closer(posted, _canonical(model, occurred_at), now)
    return model, occurred_at


_encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode
_KNOWN = tuple(name for name in TransactionIn.model_fields if name not in ("amount", "timestamp"))


def _canonical(model: TransactionIn, occurred_at: datetime) -> bytes:
    """Canonical JSON: sorted keys, plain amount, UTC time, no nulls of known fields."""
    fields = {name: value for name in _KNOWN if (value := getattr(model, name)) is not None}
    fields |= model.__pydantic_extra__ or {}
    fields["amount"] = format(model.amount.normalize(), "f")
    fields["timestamp"] = rfc3339(occurred_at)
    return _encode(fields).encode("utf-8", "replace")


_texts = attrgetter(*(name for name in _KNOWN if name not in {each for place in PLACES for each in place}))
_LONG_RUN = re.compile(r"[0-9](?:[ -]?[0-9]){12}")


def _is_plain(model: TransactionIn, occurred_at: datetime, now: datetime) -> bool:
    """Whether cheap looks suffice: known fields (these are short), whole places, not ahead, no long number."""
    whole = (model.geo_lat is None) == (model.geo_lon is None) and (model.home_lat is None) == (
        model.home_lon is None
    )
    known = whole and not model.__pydantic_extra__ and occurred_at <= now + MAX_AHEAD
    texts = "\n".join(filter(None, _texts(model)))
    return known and texts.isascii() and not _LONG_RUN.search(texts)


def _look_closer(posted: object, payload: bytes, now: datetime) -> None:
    if len(payload) > MAX_TRANSACTION_BYTES:
        raise _too_large()
    if errors := [*further_errors(posted, now)]:
        raise InvalidTransaction(errors)


_FIELDS = TransactionIn.model_fields.keys()


def _has_known_fields_only(posted: object) -> bool:
    return isinstance(posted, dict) and posted.keys() <= _FIELDS


def _expect_moderate(posted: object) -> None:
    """What canonical form leaves out, nulls and zeros of known fields, is never half of so much."""
    if surely_longer(posted, 2 * MAX_TRANSACTION_BYTES):
        raise _too_large()


def _too_large() -> InvalidTransaction:
    problem = f"The transaction is larger than {MAX_TRANSACTION_BYTES} bytes in canonical form."
    return InvalidTransaction([FieldError("", problem, "too_large")])


def _to_domain(model: TransactionIn, occurred_at: datetime) -> Transaction:
    return Transaction(
        transaction_id=model.transaction_id,
        account_id=model.account_id,
        merchant_id=model.merchant_id,
        amount=model.amount,
        currency=model.currency,
        occurred_at=occurred_at,
        merchant_category=model.merchant_category,
        place=_place(model.geo_lat, model.geo_lon),
        home=_place(model.home_lat, model.home_lon),
        channel=model.channel,
        device_id=model.device_id,
        ip_address=model.ip_address,
    )


def _place(lat: float | None, lon: float | None) -> Place | None:
    return None if lat is None or lon is None else Place(lat, lon)
