"""What a database's schema lets its writers and readers do, and what a migration takes from them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import psycopg


class Column(NamedTuple):
    """What a writer must know of a column."""

    type: str
    nullable: bool
    filled: bool
    """Whether it gets a value where a writer does not mention it."""


@dataclass(frozen=True)
class Schema:
    """Columns by table and name; each table's unique keys, and its checks and foreign keys, in SQL."""

    columns: dict[tuple[str, str], Column]
    rules: frozenset[tuple[str, str]]

    @property
    def tables(self) -> set[str]:
        """Names."""
        return {table for table, _ in self.columns}


_COLUMNS = """
SELECT relname, attname, format_type(atttypid, atttypmod), NOT attnotnull, atthasdef OR attidentity <> ''
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped
"""
_KEYS = """
SELECT tablename, regexp_replace(indexdef, 'INDEX \\S+ ', '') FROM pg_indexes
WHERE schemaname = 'public' AND indexdef LIKE 'CREATE UNIQUE%'
"""
_CHECKS = """
SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
WHERE contype IN ('c', 'f') AND connamespace = 'public'::regnamespace
"""


def read_schema(connection: psycopg.Connection) -> Schema:
    """The schema `public` as it is."""
    return Schema(
        {(table, name): Column(*rest) for table, name, *rest in connection.execute(_COLUMNS)},
        frozenset([*connection.execute(_KEYS), *connection.execute(_CHECKS)]),
    )


def contractions(before: Schema, after: Schema) -> list[str]:
    """What code that works on `before` may miss, or be refused, on `after`."""
    return [*_changed_columns(before, after), *_new_demands(before, after), *_changed_rules(before, after)]


def _changed_columns(before: Schema, after: Schema) -> Iterator[str]:
    for (table, name), old in before.columns.items():
        new = after.columns.get((table, name))
        if new is None:
            yield f"{table}.{name} is gone"
        elif new.type != old.type:
            yield f"{table}.{name} has another type"
        elif old.nullable != new.nullable:
            yield f"{table}.{name} {'may be null' if new.nullable else 'must have a value'}"
        elif old.filled and not new.filled:
            yield f"{table}.{name} has no default any more"


def _new_demands(before: Schema, after: Schema) -> Iterator[str]:
    for (table, name), column in after.columns.items():
        added = table in before.tables and (table, name) not in before.columns
        if added and not column.nullable and not column.filled:
            yield f"{table}.{name} is new and must have a value"


def _changed_rules(before: Schema, after: Schema) -> Iterator[str]:
    changed = before.rules ^ after.rules
    yield from (f"{table}: {rule} is new or gone" for table, rule in changed if table in before.tables)
