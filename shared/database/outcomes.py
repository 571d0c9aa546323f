"""How transactions ended, for many ids at once: what a replay or a reconciliation asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database.engine import unavailability
from shared.database.tables import alerts, rejected_messages, scores


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one transaction ended; a rejected one has neither label nor alert."""

    status: Literal["scored", "rejected"]
    risk_label: str | None = None
    alerted: bool = False


class OutcomeRecords:
    """Outcomes as recorded in PostgreSQL. Raises DatabaseUnavailable."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def of(self, transaction_ids: Sequence[str], rejected_since: datetime) -> dict[str, Outcome]:
        """The outcome of each id that has one; an id both scored and rejected (`id_conflict`) is scored.

        A rejection counts where it was seen since then: earlier ones concern what was posted earlier.
        """
        scored = (
            select(scores.c.transaction_id, scores.c.risk_label, alerts.c.id.is_not(None))
            .join_from(scores, alerts, scores.c.transaction_id == alerts.c.transaction_id, isouter=True)
            .where(scores.c.transaction_id.in_(transaction_ids))
        )
        rejected = select(rejected_messages.c.transaction_id).where(
            rejected_messages.c.transaction_id.in_(transaction_ids),
            rejected_messages.c.last_seen >= rejected_since,
        )
        with unavailability():
            async with self._engine.connect() as connection:
                outcomes = {str(id_): Outcome("rejected") for (id_,) in await connection.execute(rejected)}
                for id_, label, alerted in await connection.execute(scored):
                    outcomes[id_] = Outcome("scored", label, alerted)
        return outcomes
