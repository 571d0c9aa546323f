"""What a test sees of the books, in memory and in PostgreSQL."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, Protocol

import psycopg

from shared.database.recorder import PostgresRecorder
from shared.ports import DecisionRecorder
from shared.testing.recorder import MemoryRecorder


class Entry(NamedTuple):
    """One recorded transaction."""

    amount: Decimal
    model_version: str


class Quarantined(NamedTuple):
    """One rejected message."""

    reason: str
    transaction_id: str | None
    body: bytes
    times: int


class Books(Protocol):
    """Recorders of the same books, and what stands in these."""

    def recorder(self) -> DecisionRecorder: ...
    def entries(self) -> dict[str, Entry]: ...
    def rejections(self) -> list[Quarantined]: ...


@dataclass
class MemoryBooks:
    """Everyone writes with the same recorder."""

    shared: MemoryRecorder

    def recorder(self) -> DecisionRecorder:
        return self.shared

    def entries(self) -> dict[str, Entry]:
        recorded = self.shared.recorded.items()
        return {name: Entry(s.transaction.amount, s.decision.model_version) for name, s in recorded}

    def rejections(self) -> list[Quarantined]:
        return [
            Quarantined(r.message.reason, r.message.transaction_id, r.message.body, r.times)
            for r in sorted(self.shared.rejected.values(), key=lambda kept: kept.message.body)
        ]


@dataclass
class PostgresBooks:
    """Every recorder has a connection of its own."""

    reader: psycopg.Connection
    open: Callable[[], PostgresRecorder]

    def recorder(self) -> DecisionRecorder:
        return self.open()

    def entries(self) -> dict[str, Entry]:
        """Joined without the gate, so that a transaction recorded in two months would be seen twice."""
        rows = self.reader.execute(
            "SELECT transaction_id, amount, model_version"
            " FROM transactions FULL JOIN scores USING (transaction_id)"
        ).fetchall()
        entries = {name: Entry(amount, version) for name, amount, version in rows}
        assert len(entries) == len(rows)
        return entries

    def rejections(self) -> list[Quarantined]:
        query = "SELECT reason, transaction_id, body, times FROM rejected_messages ORDER BY body"
        return [Quarantined(*row) for row in self.reader.execute(query)]


TABLES = (
    "transaction_ids, transactions, scores, shadow_scores, alerts, alert_events, labels, rejected_messages, "
    "model_deployments, signal_snapshots, listed"
)
