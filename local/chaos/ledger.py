"""What the clients were told about each transaction, and what else was put into the queue."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag


class Told(IntFlag):
    """All answers for one id together."""

    UNKNOWN = 1
    REFUSED = 2
    ACCEPTED = 4


@dataclass(frozen=True, slots=True)
class Sent:
    """Ids by what their clients know: accepted at least once, refused each time (4xx), unknown (503, no answer).

    `conflicting` ids were sent with two contents; `poison` and `newer` are the marks of messages that cannot be
    read and of envelopes of a newer version; `flushed` where Redis was emptied; `redis_killed` is when it was.
    """

    accepted: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    conflicting: frozenset[str] = frozenset()
    poison: frozenset[str] = frozenset()
    newer: frozenset[str] = frozenset()
    flushed: bool = False
    redis_killed: tuple[datetime, ...] = ()


class Ledger:
    """One entry per id; numbers are payments."""

    def __init__(self) -> None:
        self.offered = 0
        self.left_out = 0
        self.answers: Counter[str] = Counter()
        self.conflicting: set[str] = set()
        self.poison: set[str] = set()
        self.newer: set[str] = set()
        self.flushed = False
        self.redis_killed: list[datetime] = []
        self._told: dict[str, Told] = {}

    def note(self, transaction_ids: Iterable[str], told: Told) -> None:
        """Note the same answer for each."""
        for each in transaction_ids:
            self.answers[str(told.name).lower()] += 1
            self._told[each] = self._told.get(each, Told(0)) | told

    def closed(self) -> Sent:
        """What all answers come to."""
        accepted = frozenset(each for each, told in self._told.items() if told & Told.ACCEPTED)
        refused = frozenset(each for each, told in self._told.items() if told == Told.REFUSED)
        return Sent(
            accepted=accepted,
            refused=refused,
            unknown=frozenset(self._told) - accepted - refused,
            conflicting=frozenset(self.conflicting),
            poison=frozenset(self.poison),
            newer=frozenset(self.newer),
            flushed=self.flushed,
            redis_killed=tuple(self.redis_killed),
        )
