"""Receipts in memory."""

from collections.abc import Sequence


class MemoryReceipts:
    """Content hashes by transaction id, for ever; implements ports.Receipts. `kept` can be read and emptied."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def find(self, transaction_ids: Sequence[str]) -> list[bytes | None]:
        """The content hash of each id, or None."""
        return [self.kept.get(transaction_id) for transaction_id in transaction_ids]

    async def remember(self, receipts: Sequence[tuple[str, bytes]]) -> None:
        """Keep (id, content hash); an id that has one already keeps it."""
        for transaction_id, content_hash in receipts:
            self.kept.setdefault(transaction_id, content_hash)
