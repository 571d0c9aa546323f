"""AMQP messages as Service Bus takes them in, single or in batches, and hands them out with its annotations."""

from collections.abc import Iterator

from proton import Data, Described, Message, symbol, timestamp, uint, ulong

from tests.servicebus.frames import BATCH_FORMAT
from tests.servicebus.queues import Incoming, Stored

_HEADER_SECTION, _DATA_SECTION = 0x70, 0x75
_SCHEDULED = symbol("x-opt-scheduled-enqueue-time")


def incoming(raw: bytes, message_format: int) -> list[Incoming]:
    """The messages in one transfer."""
    return [_incoming(each) for each in (_batched(raw) if message_format == BATCH_FORMAT else [raw])]


def outgoing(stored: Stored) -> bytes:
    """The message as a receiver gets it."""
    message = Message()
    message.decode(stored.body)
    annotations = dict(message.annotations or {})
    annotations |= {
        symbol("x-opt-sequence-number"): stored.sequence,
        symbol("x-opt-enqueued-time"): milliseconds(stored.enqueued_at),
    }
    if stored.token is not None:
        annotations[symbol("x-opt-locked-until")] = milliseconds(stored.locked_until)
    message.annotations = annotations
    if stored.dead_letter:
        message.properties = dict(message.properties or {}) | stored.dead_letter
    return _with_header(bytes(message.encode()), stored.deliveries)


def milliseconds(seconds: float) -> timestamp:
    """An AMQP timestamp of seconds since the epoch."""
    return timestamp(int(seconds * 1000))


def _with_header(encoded: bytes, deliveries: int) -> bytes:
    """Proton leaves a delivery count of 0 out; Service Bus says it."""
    after_header = encoded[Data().decode(encoded) :]
    header = Data()
    header.put_object(Described(ulong(_HEADER_SECTION), [None, None, None, None, uint(deliveries)]))
    return bytes(header.encode()) + after_header


def _incoming(raw: bytes) -> Incoming:
    message = Message()
    message.decode(raw)
    due = (message.annotations or {}).get(_SCHEDULED)
    return Incoming(raw, str(message.id) if message.id is not None else None, due / 1000 if due else 0)


def _batched(raw: bytes) -> Iterator[bytes]:
    """A batch is a message whose data sections are messages."""
    while raw:
        data = Data()
        size = data.decode(raw)
        data.rewind()
        data.next()
        section = data.get_object()
        if section.descriptor == _DATA_SECTION:
            yield bytes(section.value)
        raw = raw[size:]
