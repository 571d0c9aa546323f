"""The bytes of something that cannot be scored, as they may be kept: without card data."""

import json
import re
from typing import Any

from shared.domain.card_data import is_forbidden_name, mask_card_data, mask_card_numbers

_ESCAPE = re.compile(rb"\\[^u]")
_ESCAPED_DIGIT = re.compile(rb"\\u00(3[0-9])")
_FIELD = re.compile(rb'"([^"\\]{1,64})"\s*:\s*("(?:[^"\\]|\\.)*"?|[^\s,}\]]+)')


def without_card_data(body: bytes) -> bytes:
    """The bytes as they are where they hold no card data; otherwise with it masked."""
    try:
        parsed = json.loads(body, object_pairs_hook=_without_doubles)
        masked = mask_card_data(parsed)
    except (ValueError, RecursionError):
        return _masked_text(body)
    if masked == parsed:
        return body
    return json.dumps(masked, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object; raises ValueError where a key stands twice, as its first value would go unseen."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _masked_text(body: bytes) -> bytes:
    """What is no JSON may look like it: an escape is no letter beside a number, forbidden fields have values."""
    shown = _ESCAPE.sub(b"\x00\x00", _ESCAPED_DIGIT.sub(lambda escape: bytes([int(escape[1], 16)]), body))
    masked = mask_card_numbers(shown)
    return _FIELD.sub(_masked_field, body if masked == shown else masked)


def _masked_field(field: re.Match[bytes]) -> bytes:
    name, value = field[1].decode("utf-8", "replace"), field[2]
    return field[0][: -len(value)] + b'"*"' if is_forbidden_name(name) else field[0]
