"""A quarantined message as it can be sent again, or why it should not be."""

from datetime import datetime

from shared.domain.books import ID_CONFLICT, SCORING_FAILED, UNREADABLE, UNRECORDABLE
from shared.domain.quarantine import may_be_masked
from shared.messages.envelope import ENVELOPE_VERSION
from shared.messages.transaction_in import rfc3339

CARD_DATA = "card_data"
_PAYLOADS = {SCORING_FAILED, UNRECORDABLE, ID_CONFLICT}
"""Reasons under which a transaction is kept alone, without the item around it."""


def envelope_of(reason: str, body: bytes, received_at: datetime) -> bytes:
    """The message to publish: a whole one as it came, an item or a transaction in an envelope of its own."""
    if reason == UNREADABLE:
        return body
    item = b'{"transaction":%b,"received_at":"%b"}' % (body, rfc3339(received_at).encode())
    return b'{"v":%d,"items":[%b]}' % (ENVELOPE_VERSION, item if reason in _PAYLOADS else body)


def why_not(reason: str, body: bytes) -> str:
    """Why it is not sent again unless somebody insists; empty where nothing speaks against it."""
    if reason == CARD_DATA or may_be_masked(body):
        return "Card data was masked before it was kept: this is not the original. Ask its sender for a clean one."
    if reason == ID_CONFLICT:
        return "Its id is recorded with other content, which stands; its sender must give it an id of its own."
    return ""
