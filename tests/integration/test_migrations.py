"""The migrations make the tables that the metadata describes, once, whoever runs them."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import alembic.command
import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from shared.database.migrate import alembic_config, migrate
from shared.database.tables import metadata


@pytest.fixture
def engine(database_url):
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    yield engine
    engine.dispose()


def is_described(thing, name, kind, reflected, compare_to) -> bool:
    """Partitions are made on demand, and Alembic's own table is Alembic's."""
    return not (kind == "table" and reflected and (name.startswith("transactions_") or name == "alembic_version"))


def test_migrations_and_metadata_agree(engine):
    with engine.connect() as connection:
        options = {"compare_type": True, "include_object": is_described}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []


def test_migrating_again_changes_nothing(database_url, engine):
    migrate(database_url)
    with engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_heads() == ("0001",)


def test_two_migrations_at_once_are_harmless(services):
    name = f"test_{uuid4().hex[:12]}"
    url = f"{services.database.rsplit('/', 1)[0]}/{name}"
    with psycopg.connect(services.database, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            with ThreadPoolExecutor(3) as pool:
                list(pool.map(migrate, [url] * 3))
            with psycopg.connect(url) as connection:
                assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_going_back_before_the_first_tables_is_refused(engine):
    with engine.connect() as connection, pytest.raises(NotImplementedError, match="drop the database"):
        alembic.command.downgrade(alembic_config(connection), "base")
