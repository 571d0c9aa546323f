"""Finding card data that must never be stored: full card numbers, and fields named like a CVV, PIN or track."""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

_CANDIDATE = re.compile(r"\d(?:[ -]?\d){12,}")
_FORBIDDEN_WORD = re.compile(
    r".*cvv.*|(card)?(cvc|cvn|cav|csc)\d?|(card|user|atm|my)?pin(block|code|data|number|offset)?"
    r"|track\d?(data)?|cardverification(value|code)|(card)?securitycode"
)
_WORDS = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+")
_GROUP = re.compile(r"\d+")
_DIGIT = re.compile(r"\d")
_MASK = "*"
_SHORTEST, _LONGEST = 13, 19
_LONGEST_KEPT_NAME = 64


def card_number_spans(text: str) -> Iterator[tuple[int, int]]:
    """Spans (start, end) of full card numbers in `text`.

    A card number is a run of 13-19 digits that passes the Luhn check, with single spaces or dashes allowed
    between digits, not adjoining a letter or another digit.
    """
    for candidate in _CANDIDATE.finditer(text):
        yield from _spans_of_run(text, candidate.start(), candidate.end())


def _spans_of_run(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Card numbers in one maximal run of digits: any sequence of its separated groups may be one."""
    groups = [group.span() for group in _GROUP.finditer(text, start, end)]
    before = [0, *accumulate(right - left for left, right in groups)]
    sums = _luhn_sums([int(c) for left, right in groups for c in text[left:right]])
    for first, (left, _) in enumerate(groups):
        if left and text[left - 1].isalpha():
            continue
        begin = before[first]
        for count in range(bisect_left(before, begin + _SHORTEST), bisect_right(before, begin + _LONGEST)):
            right = groups[count - 1][1]
            if not text[right : right + 1].isalpha() and _passes_luhn(sums, begin, before[count]):
                yield left, right


def _luhn_sums(digits: Sequence[int]) -> tuple[list[int], list[int]]:
    """Sums of the first 0, 1, 2, ... digits, every second one doubled: those at odd places, those at even ones."""
    doubled = [2 * digit - 9 if digit > 4 else 2 * digit for digit in digits]
    odd_doubled, even_doubled = list(digits), doubled.copy()
    odd_doubled[1::2], even_doubled[1::2] = doubled[1::2], digits[1::2]
    return [0, *accumulate(odd_doubled)], [0, *accumulate(even_doubled)]


def _passes_luhn(sums: tuple[list[int], list[int]], begin: int, stop: int) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    right_sums = sums[(stop - 1) % 2]  # the last digit is not doubled, and every second one is
    return (right_sums[stop] - right_sums[begin]) % 10 == 0


def is_forbidden_name(name: str) -> bool:
    """Whether a field is named like a CVV, a PIN or track data: `cvv`, `cardPin`, `track_2_data`."""
    # Clients choose names: of long ones the kept answers would fill the memory.
    return _kept_answer(name) if len(name) <= _LONGEST_KEPT_NAME else _is_forbidden_name(name)


def _is_forbidden_name(name: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(unicodedata.normalize("NFKC", name))]
    return any(_FORBIDDEN_WORD.fullmatch(w) for w in [*words, "".join(words)])


_kept_answer = lru_cache(maxsize=4096)(_is_forbidden_name)


def find_card_data(value: object, path: str = "") -> str | None:
    """The JSON pointer of the first card number or forbidden field in parsed JSON, or None.

    Where the number is in a key, the pointer names the object that holds the key.
    """
    if isinstance(value, dict):
        return next((found for k, v in value.items() if (found := _find_in_member(k, v, path)) is not None), None)
    if isinstance(value, list):
        places = (find_card_data(inner, f"{path}/{index}") for index, inner in enumerate(value))
        return next((found for found in places if found is not None), None)
    if isinstance(value, bool) or value is None:
        return None
    return path if has_card_number(_text(value)) else None


def _find_in_member(key: str, value: object, path: str) -> str | None:
    if has_card_number(key):
        return path
    here = f"{path}/{reference_token(key)}"
    return here if is_forbidden_name(key) else find_card_data(value, here)


def reference_token(key: str) -> str:
    """A key as it stands in a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def _text(value: object) -> str:
    """Of a number with a fraction the digits before the point, written out: those behind it are no card number."""
    if isinstance(value, float):
        return str(int(value)) if 1e12 <= abs(value) < 1e19 else ""
    return str(value)


def has_card_number(text: str) -> bool:
    """Whether `text` holds a full card number."""
    return _CANDIDATE.search(text) is not None and next(card_number_spans(text), None) is not None


def mask_card_numbers(body: bytes) -> bytes:
    """`body` with every digit of a card number replaced by `*`; other bytes stay as they are."""
    text = body.decode("ascii", "replace")
    masked = bytearray(body)
    for start, end in card_number_spans(text):
        masked[start:end] = _DIGIT.sub(_MASK, text[start:end]).encode()
    return bytes(masked)


def mask_card_data(value: Any) -> Any:
    """Parsed JSON with card numbers masked, in keys too, and the values of forbidden fields replaced by `*`."""
    if isinstance(value, dict):
        return {
            _masked_text(key): _MASK if is_forbidden_name(key) else mask_card_data(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [mask_card_data(inner) for inner in value]
    if isinstance(value, bool) or value is None:
        return value
    text = _text(value)
    return _masked_text(text) if has_card_number(text) else value


def _masked_text(text: str) -> str:
    masked = list(text)
    for start, end in card_number_spans(text):
        masked[start:end] = _DIGIT.sub(_MASK, text[start:end])
    return "".join(masked)
