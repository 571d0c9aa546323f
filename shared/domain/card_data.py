"""Finding card data that must never be stored: full card numbers, and fields named like a CVV, PIN or track."""

import re
from collections.abc import Iterator, Mapping

_CANDIDATE = re.compile(r"\d(?:[ -]?\d){12,}")
_FORBIDDEN_WORD = re.compile(
    r".*cvv.*|cvc\d?|cvn|csc|cav\d?|pin|pinblock|pincode|track\d?(data)?|cardverification(value|code)|(card)?securitycode"
)
_WORDS = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+")
_MASK = re.compile(rb"\d")


def card_number_spans(text: str) -> Iterator[tuple[int, int]]:
    """Spans (start, end) of full card numbers in `text`.

    A card number is a run of 13-19 digits that passes the Luhn check, with single spaces or dashes allowed
    between digits, not adjoining a letter or another digit.
    """
    for candidate in _CANDIDATE.finditer(text):
        yield from _spans_of_run(text, candidate.start(), candidate.end())


def _spans_of_run(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Card numbers in one maximal run of digits: any sequence of its separated groups may be one."""
    groups = [(start + g.start(), start + g.end()) for g in re.finditer(r"\d+", text[start:end])]
    for first, (left, _) in enumerate(groups):
        if left and text[left - 1].isalpha():
            continue
        for _, right in groups[first:]:
            digits = [int(c) for c in text[left:right] if c not in " -"]
            if len(digits) > 19:
                break
            adjoins_letter = right < len(text) and text[right].isalpha()
            if len(digits) >= 13 and not adjoins_letter and passes_luhn(digits):
                yield left, right


def passes_luhn(digits: list[int]) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    doubled = [d * 2 - 9 if d > 4 else d * 2 for d in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_forbidden_name(name: str) -> bool:
    """Whether a field is named like a CVV, a PIN or track data: `cvv`, `cardPin`, `track_2_data`."""
    words = [word.lower() for word in _WORDS.findall(name)]
    return any(_FORBIDDEN_WORD.fullmatch(w) for w in [*words, "".join(words)])


def find_card_data(value: object, path: str = "") -> str | None:
    """The JSON pointer of the first card number or forbidden field in parsed JSON, or None."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            here = f"{path}/{key}"
            if is_forbidden_name(key):
                return here
            if has_card_number(key):
                return path or "/"
            if found := find_card_data(inner, here):
                return found
        return None
    if isinstance(value, list):
        return next((found for i, v in enumerate(value) if (found := find_card_data(v, f"{path}/{i}"))), None)
    if isinstance(value, bool) or value is None:
        return None
    return path or "/" if has_card_number(str(value)) else None


def has_card_number(text: str) -> bool:
    """Whether `text` holds a full card number."""
    return next(card_number_spans(text), None) is not None


def mask_card_numbers(body: bytes) -> bytes:
    """`body` with every digit of a card number replaced by `*`; other bytes stay as they are."""
    masked = bytearray(body)
    for start, end in card_number_spans(body.decode("ascii", "replace")):
        masked[start:end] = _MASK.sub(b"*", body[start:end])
    return bytes(masked)
