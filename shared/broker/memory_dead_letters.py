"""The dead letters of a queue in memory, under the same contract as the real ones."""

from collections.abc import AsyncGenerator, Iterator
from itertools import islice

from shared.broker.memory import Delivery, MemoryQueue
from shared.dead_letters import DeadLetter, Selection, Waiting


class MemoryDeadLetters:
    """Implements DeadLetters over a MemoryQueue."""

    def __init__(self, queue: MemoryQueue) -> None:
        self._queue = queue

    async def waiting(self) -> Waiting:
        """As DeadLetters."""
        self._queue.check()
        return Waiting(len(self._queue.dead_letters))

    async def look(self, selection: Selection, limit: int) -> list[DeadLetter]:
        """As DeadLetters."""
        return list(islice(self._selected(selection), limit))

    async def take(self, selection: Selection) -> AsyncGenerator[DeadLetter]:
        """As DeadLetters."""
        for letter in list(self._selected(selection)):
            yield letter

    async def remove(self, letter: DeadLetter) -> None:
        """As DeadLetters."""
        self._queue.check()
        assert isinstance(letter.handle, Delivery)  # noqa: S101 - see the protocol
        self._queue.discard(letter.handle)

    async def close(self) -> None:
        """Nothing to give back."""

    def _selected(self, selection: Selection) -> Iterator[DeadLetter]:
        self._queue.check()
        return filter(selection.takes, map(_letter, self._queue.dead_letters))


def _letter(delivery: Delivery) -> DeadLetter:
    return DeadLetter(
        letter_id=delivery.message_id,
        reason="rejected",
        body=delivery.body,
        envelope=delivery.body,
        properties=delivery.headers,
        handle=delivery,
    )
