"""What the books in memory hold of accounts, under the same contract suite as PostgreSQL's."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic

from shared.domain.errors import DatabaseUnavailable
from shared.domain.history import AccountPast
from shared.domain.transaction import Transaction
from shared.testing.recorder import MemoryRecorder


@dataclass
class MemoryPasts:
    """Implements `ports.AccountPasts` over the books in memory, and is away when they are."""

    recorder: MemoryRecorder = field(default_factory=MemoryRecorder)

    def load(self, account_ids: Sequence[str], *, until: float) -> Generator[tuple[str, AccountPast]]:
        """See the port; all that was recorded still matters."""
        for name in account_ids:
            self.recorder.check()
            if monotonic() > until:
                raise DatabaseUnavailable("The deadline has passed.")
            recorded = [each.transaction for each in self.recorder.recorded.values()]
            yield name, _past([each for each in recorded if each.account_id == name])

    def unsettled(self, transaction_ids: Sequence[str]) -> set[str]:
        """See the port."""
        self.recorder.check()
        rejected = {each.message.transaction_id for each in self.recorder.rejected.values()}
        return {*transaction_ids} - self.recorder.recorded.keys() - rejected


def _past(transactions: Sequence[Transaction]) -> AccountPast:
    first_seen: dict[str, datetime] = {}
    first_categories: dict[str, datetime] = {}
    for each in transactions:
        at, category = each.occurred_at, each.merchant_category
        first_seen[each.merchant_id] = min(first_seen.get(each.merchant_id, at), at)
        if category is not None:
            first_categories[category] = min(first_categories.get(category, at), at)
    return AccountPast(transactions, first_seen, first_categories)
