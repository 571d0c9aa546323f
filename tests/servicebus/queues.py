"""What a Service Bus queue does with messages: peek-lock, dead letters, duplicate detection. No AMQP, no clock."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from uuid import UUID, uuid4


class QueueFull(Exception):
    """The queue holds as many messages as it may."""


class LockLost(Exception):
    """Nothing is locked under this token: it expired, or was settled before."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What can be chosen for a queue. `duplicate_seconds` 0 switches duplicate detection off."""

    max_messages: int = 1_000_000
    lock_seconds: float = 60
    max_deliveries: int = 10
    duplicate_seconds: float = 600


@dataclass(slots=True)
class Stored:
    """One message as it was sent, encoded, and what the broker knows about it."""

    body: bytes
    message_id: str | None
    sequence: int
    enqueued_at: float
    deliveries: int = 0
    token: UUID | None = None
    locked_until: float = 0
    dead_letter: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message on its way in: encoded; `due` is the time it is scheduled for."""

    body: bytes
    message_id: str | None = None
    due: float = 0


class Queue:
    """In the order of the sequence numbers. `clock` answers seconds since the epoch."""

    def __init__(self, name: str, rules: Rules, clock: Callable[[], float], dead: "Queue | None" = None) -> None:
        self.name, self.rules, self._clock = name, rules, clock
        self.dead_letters = dead
        self._next_sequence = 1
        self._stored: dict[int, Stored] = {}
        self._waiting: list[int] = []
        self._scheduled: list[tuple[float, int]] = []
        self._locked: dict[UUID, int] = {}
        self._seen: dict[str, float] = {}

    def __len__(self) -> int:
        """Active messages: waiting or locked, neither scheduled nor dead."""
        return len(self._stored) - len(self._scheduled)

    def put(self, messages: Iterable[Incoming]) -> list[int]:
        """Store all or none; sequence numbers of those that were no duplicates. Raises QueueFull."""
        new = [each for each in messages if not self._is_duplicate(each.message_id)]
        total = len(self._stored) + (len(self.dead_letters._stored) if self.dead_letters else 0)
        if total + len(new) > self.rules.max_messages:
            raise QueueFull
        return [self._store(each) for each in new if self._note(each.message_id)]

    def take(self) -> Stored | None:
        """Lock the oldest waiting message, or None."""
        self.tick()
        if not self._waiting:
            return None
        stored = self._stored[heapq.heappop(self._waiting)]
        stored.token, stored.locked_until = uuid4(), self._clock() + self.rules.lock_seconds
        self._locked[stored.token] = stored.sequence
        return stored

    def complete(self, token: UUID) -> None:
        """Remove it. Raises LockLost."""
        del self._stored[self._unlock(token).sequence]

    def abandon(self, token: UUID, *, counted: bool = True) -> None:
        """Back to its place, or to the dead letters once it was delivered too often. Raises LockLost."""
        self._give_back(self._unlock(token), counted)

    def reject(self, token: UUID, reason: str, description: str) -> None:
        """To the dead letters. Raises LockLost."""
        self._bury(self._unlock(token), reason, description)

    def renew(self, token: UUID) -> float:
        """When the renewed lock ends. Raises LockLost."""
        self.tick()
        if token not in self._locked:
            raise LockLost
        stored = self._stored[self._locked[token]]
        stored.locked_until = self._clock() + self.rules.lock_seconds
        return stored.locked_until

    def peek(self, sequence: int, count: int) -> Iterator[Stored]:
        """Up to `count` messages from this sequence number on, locked and scheduled ones too."""
        numbers = sorted(number for number in self._stored if number >= sequence)[:count]
        return (self._stored[number] for number in numbers)

    def tick(self) -> None:
        """Let locks expire, scheduled messages become due and message ids be forgotten."""
        now = self._clock()
        while self._seen and (oldest := next(iter(self._seen.items())))[1] <= now:
            del self._seen[oldest[0]]
        for token in [t for t, number in self._locked.items() if self._stored[number].locked_until <= now]:
            self._give_back(self._stored[self._locked.pop(token)], counted=True)
        while self._scheduled and self._scheduled[0][0] <= now:
            heapq.heappush(self._waiting, heapq.heappop(self._scheduled)[1])

    def _is_duplicate(self, message_id: str | None) -> bool:
        return self._seen.get(message_id or "", 0) > self._clock()

    def _note(self, message_id: str | None) -> bool:
        """False for the second of two equal ids in one batch."""
        if message_id is None or not self.rules.duplicate_seconds:
            return True
        if self._is_duplicate(message_id):
            return False
        self._seen[message_id] = self._clock() + self.rules.duplicate_seconds
        return True

    def _store(self, message: Incoming) -> int:
        now, sequence = self._clock(), self._next_sequence
        self._next_sequence += 1
        self._stored[sequence] = Stored(message.body, message.message_id, sequence, max(now, message.due))
        if message.due > now:
            heapq.heappush(self._scheduled, (message.due, sequence))
        else:
            heapq.heappush(self._waiting, sequence)
        return sequence

    def _unlock(self, token: UUID) -> Stored:
        self.tick()
        if token not in self._locked:
            raise LockLost
        return self._stored[self._locked.pop(token)]

    def _give_back(self, stored: Stored, counted: bool) -> None:
        stored.token = None
        stored.deliveries += counted
        if self.dead_letters is not None and stored.deliveries >= self.rules.max_deliveries:
            self._bury(stored, "MaxDeliveryCountExceeded", "It was delivered too often without being completed.")
        else:
            heapq.heappush(self._waiting, stored.sequence)

    def _bury(self, stored: Stored, reason: str, description: str) -> None:
        del self._stored[stored.sequence]
        if self.dead_letters is None:  # what is rejected among dead letters stays there
            self._stored[stored.sequence] = stored
            heapq.heappush(self._waiting, stored.sequence)
            return
        number = self.dead_letters._store(Incoming(stored.body, stored.message_id))
        buried = self.dead_letters._stored[number]
        buried.deliveries = stored.deliveries
        buried.dead_letter = {"DeadLetterReason": reason, "DeadLetterErrorDescription": description}


class Queues:
    """The queues of a namespace by address, with `<queue>/$deadletterqueue` beside each."""

    def __init__(self, rules: Rules, clock: Callable[[], float], *, create_on_demand: bool = True) -> None:
        self.rules, self.create_on_demand = rules, create_on_demand
        self._clock = clock
        self._by_address: dict[str, Queue] = {}

    def __iter__(self) -> Iterator[Queue]:
        return iter(self._by_address.values())

    def declare(self, name: str, rules: Rules | None = None) -> Queue:
        """The queue of this name, made with these rules where it does not exist."""
        address = name.lower()
        if address not in self._by_address:
            dead = Queue(f"{name}/$deadletterqueue", rules or self.rules, self._clock)
            self._by_address[dead.name.lower()] = dead
            self._by_address[address] = Queue(name, rules or self.rules, self._clock, dead)
        return self._by_address[address]

    def find(self, address: str) -> Queue | None:
        """The queue or dead-letter queue at this address, made on demand where that is allowed."""
        name, _, _ = address.lower().partition("/$")
        if self.create_on_demand and name not in self._by_address:
            self.declare(address.partition("/$")[0])
        return self._by_address.get(address.lower())
