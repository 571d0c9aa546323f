"""What no queue takes, checked before anything is sent."""

from shared.domain.errors import EnvelopeRefused
from shared.messages.envelope import MAX_ENVELOPE_BYTES


def refuse_oversized(envelope: bytes) -> None:
    """Raise EnvelopeRefused for an envelope that every reader would reject."""
    if len(envelope) > MAX_ENVELOPE_BYTES:
        raise EnvelopeRefused(f"The envelope has {len(envelope)} bytes; at most {MAX_ENVELOPE_BYTES} are taken.")
