"""Reads the cells of a CSV of transactions as the API takes them; what had to be changed for that is counted."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from hashlib import blake2b

from shared.domain.card_data import has_card_number

Adjusted = Counter[str]
"""What was changed, in words that follow a number -> how often."""

CellReader = Callable[[str, Adjusted], object]
"""Reads a stripped cell; raises ValueError with what is wrong, in words that follow the column's name."""

ZONELESS = "times without a zone are read as UTC"
EPOCH_SECONDS = "times are read as seconds since 1970"
ROUNDED = "amounts with more than 4 decimals are rounded to 4"
TOKENS = "card numbers are replaced by tokens"
HALF_PLACES = "places without both latitude and longitude are left out"
FITTED = "identifiers that the API would refuse are replaced by ones that it takes"

_IDENTIFIER = re.compile(r"[A-Za-z0-9._:@+-]{1,64}")
_NOT_IN_IDENTIFIERS = re.compile(r"[^A-Za-z0-9._:@+-]+")
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,4})?")
_EPOCH_SECONDS = re.compile(r"[0-9]{9,10}(\.[0-9]+)?")
_FINEST = Decimal("0.0001")
_SHORT_TEXT = re.compile(r"[^\x00-\x1f\x7f]{1,64}")
_ABSENT = frozenset(("", "none", "nan", "<na>", "na", "n/a", "nat", "null"))
_LABELS = dict.fromkeys(("1", "1.0", "true", "yes"), True) | dict.fromkeys(("0", "0.0", "false", "no"), False)


def is_absent(cell: str) -> bool:
    """Whether it is empty, or what pandas and databases write for that."""
    return cell.lower() in _ABSENT


def as_identifier(text: str) -> str:
    """`text` where the API takes it as an identifier; else what it takes, kept apart by a hash.

    That is a readable form of it, or a token where it holds what passes for a card number.
    """
    if has_card_number(text):
        return f"token-{_hash(text)}"
    if _IDENTIFIER.fullmatch(text):
        return text
    if not text:
        raise ValueError("is empty")
    return f"{_NOT_IN_IDENTIFIERS.sub('-', text)[:51].strip('-')}-{_hash(text)}"


def identifier(cell: str, adjusted: Adjusted) -> str:
    """As `as_identifier`."""
    fitting = as_identifier(cell)
    if fitting != cell:
        adjusted[FITTED] += 1
    return fitting


def card_number(cell: str, adjusted: Adjusted) -> str:
    """A card number is never posted; its token is the same in every file."""
    adjusted[TOKENS] += 1
    return f"acct-{_hash(text(cell, adjusted))}"


def text(cell: str, _adjusted: Adjusted) -> str:
    """The cell, which is not empty."""
    if not cell:
        raise ValueError("is empty")
    return cell


def short_text(cell: str, _adjusted: Adjusted) -> str:
    """What the API takes as a text."""
    if not _SHORT_TEXT.fullmatch(cell):
        raise ValueError("is longer than 64 characters or holds control characters")
    if has_card_number(cell):
        raise ValueError("holds a card number")
    return cell


def currency(cell: str, adjusted: Adjusted) -> str:
    """The code in capitals."""
    return text(cell, adjusted).upper()


def amount(cell: str, adjusted: Adjusted) -> str:
    """With at most 4 decimals, rounded half to even where there are more."""
    if _AMOUNT.fullmatch(cell):
        return cell
    try:
        value = Decimal(text(cell, adjusted))
        rounded = value.quantize(_FINEST)
    except InvalidOperation as error:
        raise ValueError("is no number, or too large a one") from error
    if rounded != value:
        adjusted[ROUNDED] += 1
    return format(rounded.normalize(), "f")


def instant(cell: str, adjusted: Adjusted) -> str:
    """RFC 3339; a time without a zone is one in UTC, and 9 or 10 digits are seconds since 1970."""
    if cell.endswith("Z") and "T" in cell:
        return cell
    if _EPOCH_SECONDS.fullmatch(cell):
        adjusted[EPOCH_SECONDS] += 1
        return _rfc3339(datetime.fromtimestamp(float(cell), UTC))
    try:
        at = datetime.fromisoformat(text(cell, adjusted))
    except ValueError as error:
        raise ValueError("is no time such as 2019-01-01T00:03:38Z") from error
    if at.tzinfo is None:
        adjusted[ZONELESS] += 1
        at = at.replace(tzinfo=UTC)
    return _rfc3339(at)


def _rfc3339(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def latitude(cell: str, _adjusted: Adjusted) -> float:
    """Degrees."""
    return _degrees(cell, most=90)


def longitude(cell: str, _adjusted: Adjusted) -> float:
    """Degrees."""
    return _degrees(cell, most=180)


def _degrees(cell: str, most: int) -> float:
    try:
        value = float(cell)
    except ValueError as error:
        raise ValueError("is no number") from error
    if not abs(value) <= most:
        raise ValueError(f"is not between -{most} and {most} degrees")
    return value


def label(cell: str) -> bool | None:
    """Whether it is fraud; None for an absent cell. Raises ValueError."""
    if is_absent(cell):
        return None
    known = _LABELS.get(cell.lower())
    if known is None:
        raise ValueError("must be 0, 1 or empty")
    return known


def _hash(of: str) -> str:
    return blake2b(of.encode(), digest_size=6).hexdigest()
