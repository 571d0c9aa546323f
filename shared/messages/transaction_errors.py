"""What is wrong with a posted transaction: every broken rule as a field error, in sentences without the values."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import ErrorDetails

from shared.domain.card_data import find_card_data, has_card_number, reference_token
from shared.domain.errors import FraudSenseError
from shared.problems import FieldError

MAX_AHEAD = timedelta(minutes=5)
PLACES = (("geo_lat", "geo_lon"), ("home_lat", "home_lon"))

RFC3339 = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
_RFC3339 = re.compile(RFC3339)
_TIME_FORM = "Must be an RFC 3339 time with a zone, such as 2026-01-15T12:00:00Z."
_AMOUNT_FORM = "Must be a positive number with at most 12 digits before the point and 4 after it."
_SENTENCES = {
    "missing": ("missing", "This field is required."),
    "model_type": ("object_required", "A transaction must be a JSON object."),
    "string_type": ("string_required", "Must be a string."),
    "float_type": ("number_required", "Must be a number."),
    "finite_number": ("number_required", "Must be a finite number."),
}
_FORMS = {
    "amount": ("amount_form", _AMOUNT_FORM),
    "currency": ("unknown_currency", "Must be an ISO 4217 alphabetic code in capitals, such as USD."),
    "timestamp": ("time_invalid", _TIME_FORM),
    "geo_lat": ("out_of_range", "Must lie between -90 and 90 degrees."),
    "geo_lon": ("out_of_range", "Must lie between -180 and 180 degrees."),
    "home_lat": ("out_of_range", "Must lie between -90 and 90 degrees."),
    "home_lon": ("out_of_range", "Must lie between -180 and 180 degrees."),
} | dict.fromkeys(
    ("transaction_id", "account_id", "merchant_id"),
    ("identifier_form", "Must be 1 to 64 characters out of letters, digits and . _ : @ + - only."),
)
_TEXT_FORM = ("text_form", "Must be 1 to 64 characters without control characters.")


class InvalidTransaction(FraudSenseError):
    """The transaction is not valid."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{e.pointer or '/'}: {e.detail}" for e in errors))
        self.errors = tuple(errors)


def parse_instant(value: object, pointer: str) -> datetime:
    """An RFC 3339 time in UTC, to the microsecond; raises InvalidTransaction at `pointer`."""
    try:
        if not isinstance(value, str) or not _RFC3339.fullmatch(value):
            raise ValueError("not of the form")
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidTransaction([FieldError(pointer, _TIME_FORM, "time_invalid")]) from error


def form_errors(details: Iterable[ErrorDetails]) -> Iterator[FieldError]:
    """Pydantic's errors in our words."""
    for each in details:
        field = str(each["loc"][0]) if each["loc"] else ""
        code, sentence = _SENTENCES.get(each["type"]) or _FORMS.get(field, _TEXT_FORM)
        yield FieldError(f"/{field}" if field else "", sentence, code)


def further_errors(posted: object, now: datetime) -> Iterator[FieldError]:
    """What fields of the right form can still have wrong, card data first."""
    yield from _card_data_errors(posted)
    if isinstance(posted, dict):
        yield from _time_errors(posted.get("timestamp"), now)
        yield from _place_errors(posted)
        yield from _unstorable_errors(posted)


def _card_data_errors(posted: object) -> Iterator[FieldError]:
    pointer = find_card_data(posted)
    if pointer is not None:
        problem = "Card numbers, CVV, PIN and track data are never accepted; send a token and remove this field."
        yield FieldError(pointer, problem, "card_data")


def _time_errors(timestamp: object, now: datetime) -> Iterator[FieldError]:
    """A time of the right form can still be no time at all (30 February) or lie ahead."""
    if not isinstance(timestamp, str) or not _RFC3339.fullmatch(timestamp):
        return
    try:
        ahead = parse_instant(timestamp, "/timestamp") > now + MAX_AHEAD
    except InvalidTransaction as error:
        yield from error.errors
        return
    if ahead:
        problem = "Must not lie more than 5 minutes in the future; check the sender's clock."
        yield FieldError("/timestamp", problem, "time_in_future")


def _place_errors(posted: dict[str, Any]) -> Iterator[FieldError]:
    for lat, lon in PLACES:
        missing = [name for name in (lat, lon) if posted.get(name) is None]
        if len(missing) == 1:
            problem = f"{lat} and {lon} must be given together."
            yield FieldError(f"/{missing[0]}", problem, "incomplete_place")


def _unstorable_errors(posted: dict[str, Any]) -> Iterator[FieldError]:
    """jsonb takes no NUL characters and no infinite numbers, and neither does JSON text take half a surrogate."""
    for name, value in posted.items():
        if _is_unstorable(name) or _is_unstorable(value):
            problem = "Must not hold NUL characters, lone surrogates or numbers beyond double precision."
            yield FieldError(_printable_pointer(name), problem, "unstorable_value")


def _printable_pointer(name: str) -> str:
    if has_card_number(name) or _is_unstorable(name):
        return ""
    return f"/{reference_token(name)}"


def _is_unstorable(value: object) -> bool:
    if isinstance(value, str):
        return "\x00" in value or any("\ud800" <= c <= "\udfff" for c in value if c > "\x7f")
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, int):
        return abs(value) >= 1 << 1023
    if isinstance(value, dict):
        return any(_is_unstorable(key) or _is_unstorable(inner) for key, inner in value.items())
    return isinstance(value, list) and any(map(_is_unstorable, value))
