"""Labels in PostgreSQL: one row per transaction and source, whether or not the transaction is recorded yet."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping, delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database.engine import answering
from shared.database.tables import labels as table
from shared.database.tables import transaction_ids
from shared.domain.alert import Disposition
from shared.domain.labels import ANALYST, Effect, Key, Label, settled
from shared.ports import LabelTaken

LABEL_LOCK = 0x46535F4C


class LabelRecords:
    """Implements `ports.LabelBook`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @answering
    async def add(self, labels: Sequence[Label]) -> list[LabelTaken]:
        """See the port; up to some thousand at a time."""
        async with self._engine.begin() as connection:
            effects = await settle(connection, labels)
            recorded = await _recorded(connection, {label.transaction_id for label in labels})
        return [
            LabelTaken(effect, label.transaction_id in recorded)
            for effect, label in zip(effects, labels, strict=True)
        ]


async def settle(connection: AsyncConnection, labels: Sequence[Label]) -> list[Effect]:
    """Write labels down in the connection's transaction and say what each did."""
    # Held until commit: what was read stays true, and no two writers wait for each other's rows.
    await connection.execute(select(func.pg_advisory_xact_lock(LABEL_LOCK)))
    effects, changed = settled(labels, await _present(connection, [label.key for label in labels]))
    if changed:
        await _write(connection, changed)
    return effects


async def take_back(connection: AsyncConnection, transaction_id: str, closed_at: datetime) -> None:
    """Remove the label that closing the transaction's alert at this instant gave, if it still stands."""
    given = (table.c.transaction_id, table.c.source, table.c.labelled_at)
    await connection.execute(delete(table).where(tuple_(*given) == (transaction_id, ANALYST, closed_at)))


async def _present(connection: AsyncConnection, keys: Sequence[Key]) -> dict[Key, Label]:
    chosen = table.c.transaction_id.in_({transaction_id for transaction_id, _ in keys})
    rows = (await connection.execute(select(table).where(chosen))).mappings()
    return {label.key: label for label in map(_label, rows)}


def _label(row: RowMapping) -> Label:
    return Label(
        transaction_id=row["transaction_id"],
        source=row["source"],
        verdict=Disposition(row["label"]),
        known_at=row["labelled_at"],
        by=row["by"],
        note=row["note"],
    )


async def _write(connection: AsyncConnection, labels: Sequence[Label]) -> None:
    statement = insert(table)
    names = ("label", "by", "note", "labelled_at")
    replaced = {name: statement.excluded[name] for name in names} | {"created_at": func.now()}
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["transaction_id", "source"], set_=replaced),
        [_row(label) for label in labels],
    )


def _row(label: Label) -> dict[str, object]:
    return {
        "transaction_id": label.transaction_id,
        "source": label.source,
        "label": label.verdict,
        "labelled_at": label.known_at,
        "by": label.by,
        "note": label.note,
    }


async def _recorded(connection: AsyncConnection, ids: set[str]) -> set[str]:
    query = select(transaction_ids.c.transaction_id).where(transaction_ids.c.transaction_id.in_(ids))
    return set((await connection.scalars(query)).all())
