"""Messages into items: what cannot be read becomes a rejection, and what is too new is put aside."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.domain.card_data import mask_card_numbers
from shared.domain.decision import RejectedMessage
from shared.domain.errors import NewerEnvelope, UnreadableEnvelope
from shared.messages.envelope import MAX_ENVELOPE_BYTES, InvalidItem, decode_envelope
from shared.messages.transaction_in import Item

UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Received:
    """What a batch of messages holds: valid items, rejections, and whole messages that need a newer reader."""

    items: list[Item] = field(default_factory=list)
    rejected: list[RejectedMessage] = field(default_factory=list)
    newer: list[bytes] = field(default_factory=list)


def decode(messages: Sequence[bytes], *, now: datetime) -> Received:
    """Read every message; a bad one never fails the others."""
    received = Received()
    for body in messages:
        try:
            valid, invalid = decode_envelope(body, now=now)
        except UnreadableEnvelope as error:
            received.rejected.append(rejected_message(UNREADABLE, str(error), body))
        except NewerEnvelope:
            received.newer.append(body)
        else:
            received.items.extend(valid)
            received.rejected.extend(map(_rejected_item, invalid))
    return received


def rejected_message(reason: str, detail: str, body: bytes, transaction_id: str | None = None) -> RejectedMessage:
    """A rejection that can be stored: card numbers masked, no NUL in the text, at most an envelope's bytes."""
    text = mask_card_numbers(detail.replace("\x00", "").encode("utf-8", "replace")).decode("utf-8", "replace")
    return RejectedMessage(reason, text[:1000], mask_card_numbers(_shortened(body)), transaction_id)


def _rejected_item(item: InvalidItem) -> RejectedMessage:
    return rejected_message(item.reason, item.detail, item.body, item.transaction_id)


def _shortened(body: bytes) -> bytes:
    if len(body) <= MAX_ENVELOPE_BYTES:
        return body
    # Digits at the cut may be most of a card number that is not recognised any more.
    return body[:MAX_ENVELOPE_BYTES].rstrip(b"0123456789 -")
