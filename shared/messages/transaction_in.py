"""A posted transaction: what is accepted, its canonical form, and the sentences for what is not."""

import hashlib
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic import ValidationError as PydanticValidationError
from pydantic_core import PydanticCustomError, from_json

from shared.domain.card_data import find_card_data, mask_card_numbers
from shared.domain.currencies import CURRENCIES
from shared.domain.errors import FraudSenseError
from shared.domain.transaction import Place, Transaction

MAX_TRANSACTION_BYTES = 16 * 1024
MAX_AHEAD = timedelta(minutes=5)

_RFC3339 = r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$"
IDENTIFIER = r"^[A-Za-z0-9._:@+-]{1,64}$"
_AMOUNT = re.compile(r"\d{1,12}(\.\d{1,4})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field: its JSON pointer, a sentence, and a stable code. Never the value itself."""

    pointer: str
    detail: str
    code: str


class InvalidTransaction(FraudSenseError):
    """The transaction is not valid."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{e.pointer or '/'}: {e.detail}" for e in errors))
        self.errors = tuple(errors)


def _amount_form(value: object) -> object:
    if isinstance(value, str) and not _AMOUNT.fullmatch(value):
        raise PydanticCustomError(
            "amount_form", "Amount must be digits with at most 12 before the point and 4 after"
        )
    return value


def _known_currency(value: str) -> str:
    if value not in CURRENCIES:
        raise PydanticCustomError("unknown_currency", "Currency must be an ISO 4217 alphabetic code such as USD")
    return value


Identifier = Annotated[str, StringConstraints(pattern=IDENTIFIER)]
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,64}$")]
Latitude = Annotated[float, Field(strict=True, ge=-90, le=90)]
Longitude = Annotated[float, Field(strict=True, ge=-180, le=180)]


class TransactionIn(BaseModel):
    """A transaction as posted. Unknown fields are kept; card numbers and CVV, PIN or track fields are refused."""

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True, title="TransactionIn")

    transaction_id: Identifier
    account_id: Identifier
    merchant_id: Identifier
    amount: Annotated[
        Decimal,
        BeforeValidator(_amount_form),
        Field(gt=0, max_digits=16, decimal_places=4, allow_inf_nan=False),
    ]
    currency: Annotated[str, AfterValidator(_known_currency)]
    timestamp: Annotated[
        str,
        StringConstraints(pattern=_RFC3339),
        Field(
            description="RFC 3339 with zone; at most 5 minutes ahead",
            json_schema_extra={"format": "date-time"},
        ),
    ]
    merchant_category: Text | None = None
    geo_lat: Latitude | None = None
    geo_lon: Longitude | None = None
    home_lat: Latitude | None = None
    home_lon: Longitude | None = None
    channel: Text | None = None
    device_id: Text | None = None
    ip_address: Text | None = None

    PAIRS: ClassVar = (("geo_lat", "geo_lon"), ("home_lat", "home_lon"))

    @model_validator(mode="after")
    def _places_are_whole(self) -> "TransactionIn":
        for lat, lon in self.PAIRS:
            if (getattr(self, lat) is None) != (getattr(self, lon) is None):
                raise PydanticCustomError("incomplete_place", f"{lat} and {lon} must be given together")
        return self


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
            [FieldError("", f"The body is not valid JSON: {error}", "invalid_json")]
        ) from error


def parse_transaction(
    posted: object, *, now: datetime, received_at: datetime | None = None, traceparent: str | None = None
) -> Item:
    """Validate parsed JSON as a transaction; both doors use it, so the queue is as strict as HTTP.

    Raises InvalidTransaction with every field error; its code is `card_data` for card numbers and the like.
    """
    try:
        model = TransactionIn.model_validate(posted)
    except PydanticValidationError as error:
        raise InvalidTransaction([*_field_errors(error)]) from error
    occurred_at = _instant(model.timestamp, now)
    _refuse_odd_values(model.__pydantic_extra__ or {})
    payload = _canonical(model, occurred_at)
    _refuse_card_data(payload)
    return Item(
        transaction=_to_domain(model, occurred_at),
        payload=payload,
        content_hash=hashlib.sha256(payload).digest(),
        received_at=min(received_at or now, now),
        traceparent=traceparent,
    )


def rfc3339(moment: datetime) -> str:
    """An aware instant in UTC with `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _field_errors(error: PydanticValidationError) -> Iterator[FieldError]:
    for each in error.errors(include_url=False, include_input=False, include_context=False):
        yield FieldError("".join(f"/{part}" for part in each["loc"]), each["msg"], each["type"])


def _instant(timestamp: str, now: datetime) -> datetime:
    occurred_at = parse_instant(timestamp, "/timestamp")
    if occurred_at > now + MAX_AHEAD:
        raise InvalidTransaction(
            [FieldError("/timestamp", "The time lies more than 5 minutes in the future", "time_in_future")]
        )
    return occurred_at


def parse_instant(value: object, pointer: str) -> datetime:
    """An RFC 3339 time in UTC; raises InvalidTransaction at `pointer`."""
    try:
        if not isinstance(value, str) or not re.match(_RFC3339, value):
            raise ValueError("not RFC 3339 with a zone")
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidTransaction([FieldError(pointer, f"Not a time: {error}", "time_invalid")]) from error


def _refuse_odd_values(extra: dict[str, Any]) -> None:
    """Unknown fields go into jsonb, which takes no NUL characters and no infinite numbers."""
    for name, value in extra.items():
        if "\x00" in name or _is_odd(value):
            problem = "Holds a NUL character or a number beyond double precision"
            pointer = "/" + mask_card_numbers(name.encode()).decode()
            raise InvalidTransaction([FieldError(pointer, problem, "unstorable_value")])


def _is_odd(value: object) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, float):
        return math.isinf(value)
    if isinstance(value, int):
        return abs(value) >= 1 << 1023
    if isinstance(value, dict):
        return any("\x00" in key or _is_odd(inner) for key, inner in value.items())
    return isinstance(value, list) and any(map(_is_odd, value))


_KNOWN = tuple(name for name in TransactionIn.model_fields if name not in ("amount", "timestamp"))


def _canonical(model: TransactionIn, occurred_at: datetime) -> bytes:
    """Canonical JSON: sorted keys, plain amount, UTC time, no nulls of known fields."""
    fields = {name: value for name in _KNOWN if (value := getattr(model, name)) is not None}
    fields |= model.__pydantic_extra__ or {}
    fields["amount"] = format(model.amount.normalize(), "f")
    fields["timestamp"] = rfc3339(occurred_at)
    return json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


_FORBIDDEN_HINT = re.compile(rb"cv[vcn]|c[as][vc]|pin|track|verification|security", re.IGNORECASE)
_LONG_RUN = re.compile(rb"\d(?:[ -]?\d){12}")


def _refuse_card_data(payload: bytes) -> None:
    """Refuse card data anywhere in the canonical JSON; the cheap patterns spare most payloads the walk."""
    if not (_LONG_RUN.search(payload) or _FORBIDDEN_HINT.search(payload) or not payload.isascii()):
        return
    pointer = find_card_data(json.loads(payload))
    if pointer is not None:
        problem = "Card numbers, CVV, PIN and track data are never accepted; send a token and remove this field"
        raise InvalidTransaction([FieldError(pointer, problem, "card_data")])


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
