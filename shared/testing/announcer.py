"""The live feed in memory: keeps what was announced, and can be away."""

from collections.abc import Sequence

from shared.domain.alert import Alert
from shared.domain.errors import FeedUnavailable


class MemoryAnnouncer:
    """Implements ports.AlertAnnouncer; `announced` holds all alerts so far in order."""

    def __init__(self) -> None:
        self.announced: list[Alert] = []
        self.available = True

    def announce(self, alerts: Sequence[Alert]) -> None:
        """Keep the alerts; raises FeedUnavailable while `available` is false."""
        if not self.available:
            raise FeedUnavailable
        self.announced.extend(alerts)
