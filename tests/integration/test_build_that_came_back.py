"""Rolling back: an earlier build meets the schema of a later one."""

from collections.abc import Iterator

import psycopg
import pytest

from shared.database.migrate import migrate


@pytest.fixture
def later_schema(database_url: str) -> Iterator[str]:
    """The database as a later build left it, with a revision that this build does not know."""
    with psycopg.connect(database_url, autocommit=True) as database:
        [present] = database.execute("SELECT version_num FROM alembic_version").fetchone()
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        yield database_url
        database.execute("UPDATE alembic_version SET version_num = %s", [present])


def test_an_earlier_build_leaves_a_later_schema_as_it_is(later_schema: str) -> None:
    migrate(later_schema)

    with psycopg.connect(later_schema) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]
