"""The bytes of something that cannot be scored, as they may be kept: without card data."""

import json
import re
from typing import Any

from shared.domain.card_data import is_forbidden_name, mask_card_data, mask_card_numbers

_ESCAPE = re.compile(rb"\\[^u]")
_ESCAPED_DIGIT = re.compile(rb"\\u00(3[0-9])")
_ESCAPED_CHARACTER = re.compile(r"\\u([0-9a-fA-F]{4})")
_NAME = re.compile(rb"""(["']?)((?:[^"'\\\s:=,&{}\[\]]|\\.){1,64})\1\s*[:=]\s*""")
_MASKED = re.compile(rb"""["']\*["']|\*(?:[ -]?\*){12}""")
_VALUE = re.compile(rb"""[\[{].*|"(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s,&}\]]*""", re.DOTALL)


def without_card_data(body: bytes) -> bytes:
    """The bytes as they are where they hold no card data; otherwise with it masked."""
    try:
        parsed = json.loads(body, object_pairs_hook=_with_doubles, parse_int=_integer)
        masked = mask_card_data(parsed)
    except (ValueError, RecursionError):
        return _masked_text(body)
    if masked == parsed:
        return body
    return json.dumps(masked, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def may_be_masked(body: bytes) -> bool:
    """Whether something in these bytes may have been masked before they were kept: it is not the original then."""
    return _MASKED.search(body) is not None


def _with_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object; of a key that stands twice all values, as the first would go unseen."""
    values: dict[str, list[Any]] = {}
    for key, value in pairs:
        values.setdefault(key, []).append(value)
    return {key: each[0] if len(each) == 1 else each for key, each in values.items()}


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= 400 else float(digits)


def _masked_text(body: bytes) -> bytes:
    """What is no JSON may look like it: an escape is no letter beside a number, forbidden fields have values."""
    shown = _ESCAPE.sub(b"\x00\x00", _ESCAPED_DIGIT.sub(lambda escape: bytes([int(escape[1], 16)]), body))
    masked = mask_card_numbers(shown)
    return _without_forbidden_values(body if masked == shown else masked)


def _without_forbidden_values(body: bytes) -> bytes:
    """A value in brackets is masked to the end of the body: where it ends is anybody's guess."""
    kept: list[bytes] = []
    at = 0
    for name in _NAME.finditer(body):
        if name.start() < at or not is_forbidden_name(_unescaped(name[2])):
            continue
        kept += [body[at : name.end()], b'"*"']
        value = _VALUE.match(body, name.end())
        at = value.end() if value else name.end()
    return b"".join([*kept, body[at:]])


def _unescaped(name: bytes) -> str:
    return _ESCAPED_CHARACTER.sub(lambda escape: chr(int(escape[1], 16)), name.decode("utf-8", "replace"))
