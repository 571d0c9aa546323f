"""Messages into items: what cannot be read becomes a rejection, and what is too new is put aside."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.domain.books import UNREADABLE
from shared.domain.decision import RejectedMessage
from shared.domain.errors import NewerEnvelope, UnreadableEnvelope
from shared.messages.envelope import MAX_ENVELOPE_BYTES, InvalidItem, decode_envelope, trace_id
from shared.messages.transaction_in import Item


@dataclass(frozen=True, slots=True)
class Read:
    """A message that was read: its valid items and what was rejected, where nothing could be read the whole."""

    items: Sequence[Item] = ()
    rejected: Sequence[RejectedMessage] = ()

    def poison(self, failed: Collection[Item]) -> float:
        """The share of the message that was rejected or is among the items that `failed` later, 0 to 1."""
        bad = len(self.rejected) + (sum(item in failed for item in self.items) if failed else 0)
        return bad / (len(self.items) + len(self.rejected))


@dataclass(frozen=True, slots=True)
class Received:
    """A batch of messages: those that were read, and those that need a newer reader."""

    read: Sequence[Read]
    newer: Sequence[bytes]

    @property
    def items(self) -> list[Item]:
        """All valid items, in order."""
        return [item for message in self.read for item in message.items]

    @property
    def rejected(self) -> list[RejectedMessage]:
        """All rejections, in order."""
        return [each for message in self.read for each in message.rejected]


def decode(messages: Sequence[bytes], *, now: datetime) -> Received:
    """Read every message; a bad one never fails the others."""
    read: list[Read] = []
    newer: list[bytes] = []
    for body in messages:
        try:
            read.append(_read(body, now))
        except NewerEnvelope:
            newer.append(body)
    return Received(read, newer)


def _read(body: bytes, now: datetime) -> Read:
    try:
        valid, invalid = decode_envelope(body, now=now)
    except UnreadableEnvelope as error:
        return Read(rejected=[rejected_message(UNREADABLE, str(error), body)])
    return Read(valid, [*map(_rejected_item, invalid)])


def rejected_message(reason: str, detail: str, body: bytes, **known: str | None) -> RejectedMessage:
    """A rejection of moderate size with the ids that are `known` of it; the books mask its card data."""
    return RejectedMessage(reason, detail[:1000], _shortened(body), **known)


def _rejected_item(item: InvalidItem) -> RejectedMessage:
    return rejected_message(
        item.reason,
        item.detail,
        item.body,
        transaction_id=item.transaction_id,
        account_id=item.account_id,
        trace_id=trace_id(item.traceparent),
    )


def _shortened(body: bytes) -> bytes:
    if len(body) <= MAX_ENVELOPE_BYTES:
        return body
    # Digits at the cut may be most of a card number that is not recognised any more.
    return body[:MAX_ENVELOPE_BYTES].rstrip(b"0123456789 -")
