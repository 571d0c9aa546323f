"""What every connection to the double shares: its queues, its misbehaviour and what it counted."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.servicebus.queues import Queues, Rules

if TYPE_CHECKING:
    from tests.servicebus.connection import AmqpConnection

MAX_MESSAGE_BYTES = 256 * 1024


@dataclass
class Misbehaviour:
    """Switches, all off."""

    stalled: bool = False
    """Bytes are accepted and nothing is answered."""

    drop_acknowledgements: bool = False
    """What is sent is stored and never confirmed."""

    busy: bool = False
    """Sending is refused with server-busy."""

    refuse_tokens: bool = False
    """Signing in is refused."""

    refuse_links: bool = False
    """Signed in, but without the right to send or receive."""


@dataclass
class Namespace:
    """One Service Bus namespace."""

    queues: Queues
    misbehaviour: Misbehaviour = field(default_factory=Misbehaviour)
    connections: "set[AmqpConnection]" = field(default_factory=set)
    counted: Counter[str] = field(default_factory=Counter)
    """`transfers` (batches count once), `messages`, `senders` and `receivers` (links opened)."""

    def wake_receivers(self) -> None:
        """Hand out what waits, on every connection, and let time pass."""
        for queue in self.queues:
            queue.tick()
        for connection in list(self.connections):
            connection.work()


def new_namespace(
    rules: Rules, *, create_on_demand: bool = True, clock: Callable[[], float] = time.time
) -> Namespace:
    """An empty namespace."""
    return Namespace(Queues(rules, clock, create_on_demand=create_on_demand))
