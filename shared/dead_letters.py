"""What was given up on, in the queue's dead letters or in quarantine, and how it is sent again or discarded."""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import uuid4

from shared.domain.card_data import has_card_number
from shared.domain.errors import EnvelopeRefused
from shared.ports import EnvelopePublisher

_PLAIN = re.compile(r"[!-~]{1,128}")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One of them: `body` as it is kept, `envelope` as it would be published again.

    `since` is when it was given up on (None where nobody noted it), `times` how often the same came; `barred` says
    why it is not sent again unless that is forced. `handle` is its keeper's own.
    """

    letter_id: str
    reason: str
    body: bytes
    envelope: bytes
    detail: str = ""
    since: datetime | None = None
    times: int = 1
    transaction_id: str | None = None
    properties: Mapping[str, object] = field(default_factory=dict)
    barred: str = ""
    handle: object = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which letters are meant: those of the given ids (empty: any) and of the given reason (None: any)."""

    ids: frozenset[str] = frozenset()
    reason: str | None = None

    def takes(self, letter: DeadLetter) -> bool:
        """Whether it is one of them."""
        return (not self.ids or letter.letter_id in self.ids) and self.reason in (None, letter.reason)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many letters wait, those in somebody's hands not counted; `notice` is what the operator must know."""

    letters: int
    notice: str = ""


def plain_id(message_id: str | None) -> str:
    """A message's id where it can be shown and typed, else empty: other producers may choose anything."""
    usable = message_id and _PLAIN.fullmatch(message_id) and not has_card_number(message_id)
    return message_id if message_id and usable else ""


class DeadLetters(Protocol):
    """One keeper of dead letters. Every method raises BrokerUnavailable or DatabaseUnavailable."""

    async def waiting(self) -> Waiting:
        """How many there are."""

    async def look(self, selection: Selection, limit: int) -> list[DeadLetter]:
        """The oldest `limit` of the selection; all letters stay, in their order."""

    def take(self, selection: Selection) -> AsyncGenerator[DeadLetter]:
        """Each letter of the selection that was there at the start, once; those not removed stay.

        Close it before anything else is asked: until then letters are held back from others.
        """

    async def remove(self, letter: DeadLetter) -> None:
        """Forget a letter of the `take` under way. Interrupted, the letter may come again, it is never lost."""

    async def close(self) -> None:
        """Give the connection back."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one letter; `left` says why it stays, empty where it was sent or discarded."""

    letter_id: str
    left: str = ""


async def redrive(
    letters: DeadLetters, selection: Selection, publisher: EnvelopePublisher, *, force: bool = False
) -> AsyncGenerator[Settled]:
    """Publish each letter of the selection anew and remove it once the broker confirmed: at least once.

    A new message id, and none of the old headers: duplicate detection would silently discard the old id, and the
    count of earlier runs would make it a dead letter again at once.
    """
    async with aclosing(letters.take(selection)) as taken:
        async for letter in taken:
            if letter.barred and not force:
                yield Settled(letter.letter_id, letter.barred)
                continue
            try:
                await publisher.publish(letter.envelope, message_id=uuid4().hex)
            except EnvelopeRefused as error:
                yield Settled(letter.letter_id, str(error))
                continue
            await letters.remove(letter)
            yield Settled(letter.letter_id)


async def purge(letters: DeadLetters, selection: Selection) -> AsyncGenerator[Settled]:
    """Discard each letter of the selection."""
    async with aclosing(letters.take(selection)) as taken:
        async for letter in taken:
            await letters.remove(letter)
            yield Settled(letter.letter_id)
