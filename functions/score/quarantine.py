"""What is kept of something that cannot be scored: its reason and its bytes, without card data."""

import json
import re

from shared.domain.card_data import is_forbidden_name, mask_card_data, mask_card_numbers
from shared.domain.decision import RejectedMessage
from shared.messages.envelope import MAX_ENVELOPE_BYTES

_ESCAPE = re.compile(rb"\\[^u]")
_ESCAPED_DIGIT = re.compile(rb"\\u00(3[0-9])")
_FIELD = re.compile(rb'"([^"\\]{1,64})"\s*:\s*("(?:[^"\\]|\\.)*"?|[^\s,}\]]+)')


def rejected_message(reason: str, detail: str, body: bytes, transaction_id: str | None = None) -> RejectedMessage:
    """A rejection that can be stored: card data masked, no NUL in the text, at most an envelope's bytes."""
    text = mask_card_numbers(detail.replace("\x00", "").encode("utf-8", "replace")).decode("utf-8", "replace")
    return RejectedMessage(reason, text[:1000], _shortened(without_card_data(body)), transaction_id)


def without_card_data(body: bytes) -> bytes:
    """The bytes as they are where they hold no card data; otherwise with it masked."""
    try:
        parsed = json.loads(body)
        masked = mask_card_data(parsed)
    except (ValueError, RecursionError):
        return _masked_text(body)
    if masked != parsed:
        body = json.dumps(masked, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return mask_card_numbers(body)


def _masked_text(body: bytes) -> bytes:
    """What is no JSON may look like it: an escape is no letter beside a number, forbidden fields have values."""
    shown = _ESCAPE.sub(b"\x00\x00", _ESCAPED_DIGIT.sub(lambda escape: bytes([int(escape[1], 16)]), body))
    masked = mask_card_numbers(shown)
    return _FIELD.sub(_masked_field, body if masked == shown else masked)


def _masked_field(field: re.Match[bytes]) -> bytes:
    name, value = field[1].decode("utf-8", "replace"), field[2]
    return field[0][: -len(value)] + b'"*"' if is_forbidden_name(name) else field[0]


def _shortened(body: bytes) -> bytes:
    if len(body) <= MAX_ENVELOPE_BYTES:
        return body
    # Digits at the cut may be most of a card number that is not recognised any more.
    return body[:MAX_ENVELOPE_BYTES].rstrip(b"0123456789 -")
