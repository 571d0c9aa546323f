"""Recorded transactions, one at a time, with what was decided."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, and_, exists, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database.engine import answering, check_schema, reading
from shared.database.rows import reasons_from
from shared.database.tables import alerts, rejected_messages, scores, transaction_ids, transactions
from shared.domain.decision import Reason, RiskLabel


@dataclass(frozen=True, slots=True)
class TransactionRecord:
    """A transaction as it is stored, with its decision and, where it raised one, its alert's id.

    `amount` is in major units of `currency` with four decimals; times are in UTC; `score` is the risk in [0, 1].
    """

    transaction_id: str
    account_id: str
    merchant_id: str
    amount: Decimal
    currency: str
    timestamp: datetime
    merchant_category: str | None
    geo_lat: float | None
    geo_lon: float | None
    home_lat: float | None
    home_lon: float | None
    channel: str | None
    device_id: str | None
    ip_address: str | None
    raw_payload: Mapping[str, Any]
    received_at: datetime
    created_at: datetime
    score: float
    risk_label: RiskLabel
    reasons: tuple[Reason, ...]
    anomaly: float
    model_version: str
    alert_id: UUID | None


# The gate knows the month, so that only one partition is read.
_FIND = (
    select(
        *[column for column in transactions.c if column.name != "id"],
        scores.c.score,
        scores.c.risk_label,
        scores.c.reasons,
        scores.c.anomaly,
        scores.c.model_version,
        alerts.c.id.label("alert_id"),
    )
    .select_from(transaction_ids)
    .join(
        transactions,
        and_(
            transactions.c.transaction_id == transaction_ids.c.transaction_id,
            transactions.c.timestamp == transaction_ids.c.occurred_at,
        ),
    )
    .join(scores, scores.c.transaction_id == transaction_ids.c.transaction_id)
    .outerjoin(alerts, alerts.c.transaction_id == transaction_ids.c.transaction_id)
)


class TransactionRecords:
    """Reads of recorded transactions. Each raises DatabaseUnavailable."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @answering
    async def find(self, transaction_id: str) -> TransactionRecord | None:
        """The transaction with its decision, or None where none was recorded."""
        query = _FIND.where(transaction_ids.c.transaction_id == transaction_id)
        async with reading(self._engine).connect() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else _record(row)

    @answering
    async def is_rejected(self, transaction_id: str, content_hash: bytes | None = None) -> bool:
        """Whether a message with this id was quarantined; where a hash is given, one with that content."""
        rejected = rejected_messages.c.transaction_id == transaction_id
        if content_hash is not None:
            rejected &= func.sha256(rejected_messages.c.body) == content_hash
        query = select(exists().where(rejected))
        async with reading(self._engine).connect() as connection:
            return bool(await connection.scalar(query))

    @answering
    async def check(self) -> None:
        """Return where the database answers and is migrated."""
        await check_schema(self._engine)


def _record(row: RowMapping) -> TransactionRecord:
    decided = {"risk_label": RiskLabel(row["risk_label"]), "reasons": reasons_from(row["reasons"])}
    return TransactionRecord(**{**row, **decided})
