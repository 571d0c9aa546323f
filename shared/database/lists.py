"""The block and trust lists in PostgreSQL: kept with SQLAlchemy."""

from typing import Any

from sqlalchemy import RowMapping, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database.engine import answering, reading
from shared.database.tables import listed
from shared.domain.lists import Key, Listed, ListedKind, Verdict

_table = listed.c


class ListedRecords:
    """The entries. Each method raises DatabaseUnavailable."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @answering
    async def put(self, entry: Listed) -> Listed | None:
        """Keep the entry; the one of the same kind and value that it replaces, or None."""
        chosen = _is((entry.kind, entry.value))
        values = {name: getattr(entry, name) for name in ("verdict", "expires_at", "by", "note")}
        statement = insert(listed).values(kind=entry.kind, value=entry.value, **values)
        write = statement.on_conflict_do_update(
            index_elements=["kind", "value"], set_=values | {"created_at": func.now()}
        )
        async with self._engine.begin() as connection:
            before = (await connection.execute(select(listed).where(chosen).with_for_update())).mappings().first()
            await connection.execute(write)
        return None if before is None else _entry(before)

    @answering
    async def remove(self, key: Key) -> Listed | None:
        """Forget an entry; what it said, or None where there is none."""
        async with self._engine.begin() as connection:
            gone = await connection.execute(delete(listed).where(_is(key)).returning(*_table))
            row = gone.mappings().first()
        return None if row is None else _entry(row)

    @answering
    async def all(self) -> list[Listed]:
        """Every entry, expired ones too, by kind and value."""
        async with reading(self._engine).connect() as connection:
            rows = await connection.execute(select(listed).order_by(_table.kind, _table.value))
            return [_entry(row) for row in rows.mappings()]


def _is(key: Key) -> Any:
    return (_table.kind == key[0]) & (_table.value == key[1])


def _entry(row: RowMapping) -> Listed:
    return Listed(
        ListedKind(row["kind"]), row["value"], Verdict(row["verdict"]), row["by"], row["expires_at"], row["note"]
    )
