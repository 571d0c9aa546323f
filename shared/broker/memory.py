"""A queue inside the process, with the semantics of the real ones: for tests and for trying ingest alone."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from shared.broker.limits import refuse_oversized
from shared.domain.errors import BrokerUnavailable


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message handed to a consumer; `deliveries` counts how often, this one included."""

    message_id: str
    body: bytes
    deliveries: int = 1
    headers: Mapping[str, object] = field(default_factory=dict)


class MemoryQueue:
    """First in, first out, at least once; rejected messages become dead letters, a full queue refuses.

    `available` can be switched off to stand for a broker that is away.
    """

    def __init__(self, max_length: int = 1_000_000, delivery_limit: int = 100) -> None:
        self.available = True
        self._max_length = max_length
        self._delivery_limit = delivery_limit
        self._waiting: deque[Delivery] = deque()
        self._in_flight: dict[int, Delivery] = {}
        self._dead: list[Delivery] = []

    @property
    def dead_letters(self) -> tuple[Delivery, ...]:
        """What was rejected, oldest first."""
        return tuple(self._dead)

    @property
    def waiting(self) -> int:
        """Messages not handed out."""
        return len(self._waiting)

    def __len__(self) -> int:
        """Messages waiting or handed out and not settled."""
        return len(self._waiting) + len(self._in_flight)

    def put(self, body: bytes, message_id: str, headers: Mapping[str, object] | None = None) -> None:
        """Append; raises BrokerUnavailable where it is away or full."""
        self.check()
        if len(self) >= self._max_length:
            raise BrokerUnavailable("The queue is full; try again later.")
        self._waiting.append(Delivery(message_id, body, headers=dict(headers or {})))

    def receive(self) -> Delivery | None:
        """Hand out the oldest waiting message until it is settled, or None."""
        self.check()
        if not self._waiting:
            return None
        delivery = self._waiting.popleft()
        self._in_flight[id(delivery)] = delivery
        return delivery

    def complete(self, delivery: Delivery) -> None:
        """Remove it for good."""
        del self._in_flight[id(delivery)]

    def put_back(self, delivery: Delivery) -> None:
        """Return it to the head, or to the dead letters once it was delivered too often."""
        del self._in_flight[id(delivery)]
        if delivery.deliveries > self._delivery_limit:
            self._dead.append(delivery)
        else:
            self._waiting.appendleft(replace(delivery, deliveries=delivery.deliveries + 1))

    def reject(self, delivery: Delivery) -> None:
        """Move it to the dead letters."""
        del self._in_flight[id(delivery)]
        self._dead.append(delivery)

    def discard(self, dead_letter: Delivery) -> None:
        """Forget one of the dead letters."""
        self._dead = [each for each in self._dead if each is not dead_letter]

    def check(self) -> None:
        """Raise BrokerUnavailable where it is away."""
        if not self.available:
            raise BrokerUnavailable


class MemoryPublisher:
    """Implements EnvelopePublisher over a MemoryQueue."""

    def __init__(self, queue: MemoryQueue) -> None:
        self._queue = queue

    async def publish(self, envelope: bytes, *, message_id: str) -> None:
        """As EnvelopePublisher."""
        refuse_oversized(envelope)
        self._queue.put(envelope, message_id)

    async def check(self) -> None:
        """As EnvelopePublisher."""
        self._queue.check()

    async def depth(self) -> int:
        """As EnvelopePublisher."""
        self._queue.check()
        return self._queue.waiting

    async def close(self) -> None:
        """Nothing to give back."""
