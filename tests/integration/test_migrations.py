"""The migrations make the tables that the metadata describes, once, whoever runs them, and only expand them."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import alembic.command
import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from shared.database.migrate import MIGRATIONS, alembic_config, migrate
from shared.database.tables import metadata
from shared.domain.errors import DatabaseUnavailable
from tests.schemas import contractions, read_schema


@pytest.fixture
def engine(database_url):
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    yield engine
    engine.dispose()


@pytest.fixture
def empty_url(services):
    """A database without any table."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(services.database, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield f"{services.database.rsplit('/', 1)[0]}/{name}"
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def upgrade(url: str, revision: str) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        alembic.command.upgrade(alembic_config(connection), revision)
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
        assert MigrationContext.configure(connection).get_current_heads() == ("0003",)


def test_two_migrations_at_once_are_harmless(empty_url):
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(migrate, [empty_url] * 3))
    with psycopg.connect(empty_url) as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


def test_a_migration_that_waits_for_a_lock_gives_up_and_can_be_run_again(empty_url):
    with psycopg.connect(empty_url) as other:
        other.execute("CREATE TABLE transaction_ids (held text)")
        with pytest.raises(DatabaseUnavailable, match="pg_stat_activity"):
            migrate(empty_url)
    with psycopg.connect(empty_url, autocommit=True) as other:
        other.execute("DROP TABLE transaction_ids")
    migrate(empty_url)


def test_going_back_is_refused(engine):
    with engine.connect() as connection, pytest.raises(NotImplementedError, match="drop the database"):
        alembic.command.downgrade(alembic_config(connection), "base")


def test_every_migration_leaves_the_code_before_it_what_it_needs(empty_url):
    """A contraction names, as `unused_since`, the version since which nobody relies on what it takes."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    revisions = [*ScriptDirectory.from_config(config).walk_revisions()][::-1]
    with psycopg.connect(empty_url, autocommit=True) as connection:
        for revision in revisions:
            before = read_schema(connection)
            upgrade(empty_url, revision.revision)
            taken = contractions(before, read_schema(connection))
            assert not taken or hasattr(revision.module, "unused_since"), (revision.revision, taken)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE scores DROP COLUMN reasons",
        "ALTER TABLE scores RENAME COLUMN reasons TO why",
        "ALTER TABLE labels RENAME TO outcomes",
        "DROP TABLE labels",
        "ALTER TABLE transactions ALTER COLUMN currency TYPE varchar(3)",
        "ALTER TABLE transactions ALTER COLUMN channel SET NOT NULL",
        "ALTER TABLE transactions ALTER COLUMN currency DROP NOT NULL",
        "ALTER TABLE transactions ALTER COLUMN created_at DROP DEFAULT",
        "ALTER TABLE transactions ADD COLUMN region text NOT NULL",
        "ALTER TABLE scores ADD CONSTRAINT low CHECK (score < 1)",
        "ALTER TABLE labels ADD CONSTRAINT known FOREIGN KEY (transaction_id) REFERENCES scores (transaction_id)",
        "ALTER TABLE labels DROP CONSTRAINT labels_label",
        "CREATE UNIQUE INDEX one_each ON alerts (account_id)",
        "ALTER TABLE rejected_messages DROP CONSTRAINT rejected_messages_digest_key",
    ],
)
def test_what_old_code_would_miss_is_a_contraction(database_url, statement):
    assert len(after(database_url, statement)) >= 1


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE transactions ADD COLUMN region text",
        "ALTER TABLE transactions ADD COLUMN attempts int NOT NULL DEFAULT 0",
        "CREATE TABLE regions (name text PRIMARY KEY CHECK (name <> ''))",
        "CREATE INDEX transactions_received ON transactions (received_at)",
    ],
)
def test_what_only_adds_is_none(database_url, statement):
    assert after(database_url, statement) == []


def after(database_url: str, statement: str) -> list[str]:
    """The contractions that a statement would be; it is not kept."""
    with psycopg.connect(database_url) as connection:
        # Rows of other tests may contradict the statement.
        connection.execute("TRUNCATE transactions, scores, labels, alerts, rejected_messages CASCADE")
        before = read_schema(connection)
        connection.execute(statement)
        found = contractions(before, read_schema(connection))
        connection.rollback()
    return found
