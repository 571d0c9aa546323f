"""The envelope: up to 100 transactions in one queue message, `{"v": 1, "items": [...]}`."""

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from pydantic_core import from_json

from shared.domain.card_data import has_card_number
from shared.domain.errors import NewerEnvelope, UnreadableEnvelope
from shared.messages.transaction_errors import InvalidTransaction, parse_instant
from shared.messages.transaction_in import IDENTIFIER, Item, parse_transaction, rfc3339
from shared.problems import FieldError

ENVELOPE_VERSION = 1
MAX_ITEMS = 100
MAX_ENVELOPE_BYTES = 192 * 1024
MAX_DEPTH = 100
"""Nesting of what only the lenient parser reads."""


@dataclass(frozen=True, slots=True)
class InvalidItem:
    """An item of an envelope that cannot be scored: why, its JSON, its id, account and trace if readable."""

    reason: str
    detail: str
    body: bytes
    transaction_id: str | None
    account_id: str | None
    traceparent: str | None


def encode_envelopes(items: Sequence[Item]) -> Iterator[tuple[bytes, Sequence[Item]]]:
    """Pack items into as few envelopes as fit the limits (100 items, 192 KiB), in order."""
    start, size = 0, 0
    encoded = [_encode_item(item) for item in items]
    for end, part in enumerate(encoded):
        if end > start and (end - start >= MAX_ITEMS or size + len(part) + 1 > MAX_ENVELOPE_BYTES - 64):
            yield _envelope(encoded[start:end]), items[start:end]
            start, size = end, 0
        size += len(part) + 1
    if encoded:
        yield _envelope(encoded[start:]), items[start:]


def decode_envelope(body: bytes, *, now: datetime) -> tuple[list[Item], list[InvalidItem]]:
    """Items of an envelope, each valid one parsed and each invalid one with its reason.

    Raises UnreadableEnvelope where the whole is not an envelope and NewerEnvelope where `v` is newer than ours.
    """
    entries = _envelope_items(body)
    valid: list[Item] = []
    invalid: list[InvalidItem] = []
    for entry in entries:
        try:
            valid.append(_parse_entry(entry, now))
        except InvalidTransaction as error:
            invalid.append(_invalid_item(entry, error))
    return valid, invalid


def _envelope(parts: Sequence[bytes]) -> bytes:
    return b'{"v":%d,"items":[%b]}' % (ENVELOPE_VERSION, b",".join(parts))


def _encode_item(item: Item) -> bytes:
    trace = b',"traceparent":"%b"' % item.traceparent.encode() if item.traceparent else b""
    return b'{"transaction":%b,"received_at":"%b"%b}' % (
        item.payload,
        rfc3339(item.received_at).encode(),
        trace,
    )


def _envelope_items(body: bytes) -> list[Any]:
    if len(body) > MAX_ENVELOPE_BYTES:
        raise UnreadableEnvelope(f"The message is larger than {MAX_ENVELOPE_BYTES} bytes.")
    envelope = _parsed(body)
    version = envelope.get("v") if isinstance(envelope, dict) else None
    if isinstance(version, int) and version > ENVELOPE_VERSION:
        raise NewerEnvelope(f"Envelope version {version} is newer than {ENVELOPE_VERSION}.")
    items = envelope.get("items") if isinstance(envelope, dict) else None
    ours = version == ENVELOPE_VERSION and type(version) is int
    if not ours or not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS:
        raise UnreadableEnvelope(f'The message is not {{"v": {ENVELOPE_VERSION}, "items": [1 to {MAX_ITEMS}]}}.')
    return items


def _parsed(body: bytes) -> Any:
    try:
        return from_json(body, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        parsed = _parsed_leniently(body)
        if parsed is None or _is_deeper_than(MAX_DEPTH, parsed):
            raise UnreadableEnvelope(f"The message is not valid JSON: {error}") from error
        return parsed


def _parsed_leniently(body: bytes) -> Any:
    """With what JSON has no words for, such as NaN or half a surrogate: it spoils its own item, not the others.

    None where even that is not possible.
    """
    try:
        return json.loads(body.decode(), parse_int=lambda digits: int(digits) if len(digits) <= 400 else math.inf)
    except (ValueError, RecursionError):
        return None


def _is_deeper_than(depth: int, value: object) -> bool:
    level = [value]
    for _ in range(depth):
        containers = [each for each in level if isinstance(each, dict | list)]
        level = [*chain.from_iterable(each.values() if isinstance(each, dict) else each for each in containers)]
    return bool(level)


def _parse_entry(entry: object, now: datetime) -> Item:
    if not isinstance(entry, dict) or "transaction" not in entry:
        raise InvalidTransaction([FieldError("", 'The item has no "transaction".', "missing")])
    received_at = entry.get("received_at")
    return parse_transaction(
        entry["transaction"],
        now=now,
        received_at=None if received_at is None else parse_instant(received_at, "/received_at"),
        traceparent=_traceparent(entry),
    )


def _traceparent(entry: dict[Any, Any]) -> str | None:
    value = entry.get("traceparent")
    return value if isinstance(value, str) and is_traceparent(value) else None


_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def is_traceparent(value: str) -> bool:
    """Whether `value` is a W3C trace context header: version, trace id, parent id, flags, none of them void."""
    return _TRACEPARENT.fullmatch(value) is not None


def trace_id(traceparent: str | None) -> str | None:
    """The trace id in a valid trace context header."""
    return traceparent.split("-")[1] if traceparent else None


_IDENTIFIER = re.compile(IDENTIFIER)


def _invalid_item(entry: object, error: InvalidTransaction) -> InvalidItem:
    posted = entry.get("transaction") if isinstance(entry, dict) else None
    names = posted if isinstance(posted, dict) else {}
    return InvalidItem(
        reason=error.errors[0].code,
        detail=str(error),
        body=json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"),
        transaction_id=_readable(names.get("transaction_id")),
        account_id=_readable(names.get("account_id")),
        traceparent=_traceparent(entry) if isinstance(entry, dict) else None,
    )


def _readable(identifier: object) -> str | None:
    if not isinstance(identifier, str) or not _IDENTIFIER.fullmatch(identifier):
        return None
    return None if has_card_number(identifier) else identifier
