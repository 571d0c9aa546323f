"""Labels in memory; they can be away."""

from collections.abc import Sequence
from datetime import datetime

from shared.domain.errors import DatabaseUnavailable
from shared.domain.labels import ANALYST, Key, Label, settled
from shared.ports import LabelTaken


class MemoryLabels:
    """`kept` by transaction and source, `recorded` transaction ids; raises DatabaseUnavailable while `away`."""

    def __init__(self) -> None:
        self.kept: dict[Key, Label] = {}
        self.recorded: set[str] = set()
        self.away = False

    async def add(self, labels: Sequence[Label]) -> list[LabelTaken]:
        """See `ports.LabelBook`."""
        if self.away:
            raise DatabaseUnavailable
        effects, changed = settled(labels, self.kept)
        self.kept |= {label.key: label for label in changed}
        return [
            LabelTaken(effect, label.transaction_id in self.recorded)
            for effect, label in zip(effects, labels, strict=True)
        ]

    def take_back(self, transaction_id: str, closed_at: datetime) -> None:
        """Remove the label that closing the transaction's alert at this instant gave, if it still stands."""
        key = transaction_id, ANALYST
        if key in self.kept and self.kept[key].known_at == closed_at:
            del self.kept[key]
