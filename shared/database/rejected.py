"""The quarantine, the table rejected_messages, as dead letters: shown, sent again, discarded."""

import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import RowMapping, Select, delete, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database.connection import missing_setup
from shared.database.engine import answering, reading
from shared.database.tables import rejected_messages
from shared.dead_letters import DeadLetter, Selection, Waiting
from shared.domain.errors import DatabaseUnavailable
from shared.messages.sent_again import envelope_of, why_not

PAGE = 100
_ID = re.compile(r"rejected-([0-9]{1,18})")
_table = rejected_messages.c


class RejectedLetters:
    """Implements DeadLetters over the table; the caller disposes of the engine."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def waiting(self) -> Waiting:
        """As DeadLetters."""
        [row] = await self._rows(select(func.count().label("letters")).select_from(rejected_messages))
        return Waiting(row["letters"])

    async def look(self, selection: Selection, limit: int) -> list[DeadLetter]:
        """As DeadLetters."""
        return [_letter(row) for row in await self._rows(_selected(selection).limit(limit))]

    async def take(self, selection: Selection) -> AsyncGenerator[DeadLetter]:
        """As DeadLetters."""
        [newest] = await self._rows(select(func.max(_table.id).label("id")))
        query, after = _selected(selection).where(_table.id <= (newest["id"] or 0)).limit(PAGE), 0
        while rows := await self._rows(query.where(_table.id > after)):
            for row in rows:
                yield _letter(row)
            after = rows[-1]["id"]

    @answering
    async def remove(self, letter: DeadLetter) -> None:
        """As DeadLetters; one that came again meanwhile stays, counted once more."""
        number = _ID.fullmatch(letter.letter_id)
        assert number is not None  # noqa: S101 - see the protocol
        unchanged = (_table.id == int(number[1])) & (_table.times == letter.times)
        async with self._engine.begin() as connection:
            await connection.execute(delete(rejected_messages).where(unchanged))

    async def close(self) -> None:
        """Nothing is kept between calls."""

    @answering
    async def _rows(self, query: Select[Any]) -> list[RowMapping]:
        with _migrated():
            async with reading(self._engine).connect() as connection:
                return [*(await connection.execute(query)).mappings()]


def is_row(letter_id: str) -> bool:
    """Whether this is the id of a row of the quarantine."""
    return _ID.fullmatch(letter_id) is not None


def _selected(selection: Selection) -> Select[Any]:
    query = select(rejected_messages).order_by(_table.id)
    if selection.ids:
        query = query.where(_table.id.in_([int(n[1]) for each in selection.ids if (n := _ID.fullmatch(each))]))
    if selection.reason is not None:
        query = query.where(_table.reason == selection.reason)
    return query


def _letter(row: RowMapping) -> DeadLetter:
    return DeadLetter(
        letter_id=f"rejected-{row['id']}",
        reason=row["reason"],
        detail=row["detail"],
        since=row["received_at"],
        times=row["times"],
        transaction_id=row["transaction_id"],
        body=row["body"],
        envelope=envelope_of(row["reason"], row["body"], row["received_at"]),
        barred=why_not(row["reason"], row["body"]),
        properties={"last_seen": row["last_seen"].isoformat()},
    )


@contextmanager
def _migrated() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if missing := error.orig and missing_setup(error.orig):
            raise DatabaseUnavailable(f"{missing}.") from error
        raise
