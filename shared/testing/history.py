"""The account history in memory, for tests and for a broker in memory."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from shared.domain.account_history import AccountHistories
from shared.domain.errors import HistoryUnavailable
from shared.domain.history import History
from shared.domain.transaction import Transaction


class MemoryHistory:
    """ports.HistoryStore on the reference model. `away`: unavailable; `refusals`: 429s per account."""

    def __init__(self) -> None:
        self.away = False
        self.refusals: Counter[str] = Counter()
        self._accounts = AccountHistories()

    def observe(self, transactions: Sequence[Transaction]) -> list[History]:
        """Count each transaction once and answer with its past, in order."""
        self.check()
        return [
            replace(self._accounts.observe(each), recent_refusals=self.refusals[each.account_id])
            for each in transactions
        ]

    def check(self) -> None:
        """Raise HistoryUnavailable while `away`."""
        if self.away:
            raise HistoryUnavailable()
