"""Each door works with what it is granted, and with nothing more, on the real PostgreSQL."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from math import inf
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from shared.command_line import main
from shared.database.__main__ import COMMANDS
from shared.database.alerts import AlertRecords
from shared.database.deployments import read_deployments
from shared.database.engine import async_engine
from shared.database.grants import PRIVILEGES, Grantee, create_principals, grant
from shared.database.labels import LabelRecords
from shared.database.listed import read_lists
from shared.database.past import PostgresPasts
from shared.database.recorder import PostgresRecorder
from shared.database.signals import newest_signals
from shared.database.transactions import TransactionRecords
from shared.domain.alert import Action, Disposition
from shared.domain.alert_record import AlertFilter, StepTaken
from shared.domain.decision import RejectedMessage
from shared.domain.errors import DatabaseUnavailable
from shared.domain.labels import Label
from tests.builders import NOON, a_decision, a_scored_transaction, an_alarm
from tests.contract.books import TABLES

RUBBISH = RejectedMessage("invalid_json", "The body is not valid JSON", b"{")


@pytest.fixture
def owner(database_url: str) -> Iterator[psycopg.Connection]:
    """The tables' owner, on empty books without partitions."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {TABLES}")
        for (name,) in connection.execute(
            "SELECT relid::text FROM pg_partition_tree('transactions') WHERE level = 1"
        ).fetchall():
            connection.execute(f"DROP TABLE {name}")
        yield connection


@pytest.fixture
def logins(owner: psycopg.Connection, database_url: str) -> Iterator[Mapping[str, str]]:
    """Door → URL of a login that may do nothing yet; its role is the URL's user."""
    roles = {door: f"{door}_{uuid4().hex[:8]}" for door in PRIVILEGES}
    for role in roles.values():
        owner.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'test'").format(sql.Identifier(role)))
    place = conninfo_to_dict(database_url)
    yield {
        door: f"postgresql://{role}:test@{place['host']}:{place['port']}/{place['dbname']}"
        for door, role in roles.items()
    }
    for role in roles.values():
        owner.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
        owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def role_of(url: str) -> str:
    return str(conninfo_to_dict(url)["user"])


@pytest.fixture
def doors(owner: psycopg.Connection, logins: Mapping[str, str]) -> Mapping[str, str]:
    """The same logins with their grants."""
    grant(owner, [Grantee(door, role_of(url)) for door, url in logins.items()])
    return logins


@pytest.fixture
def recorder(doors: Mapping[str, str]) -> Iterator[PostgresRecorder]:
    """score's, as score's role."""
    recorder = PostgresRecorder(doors["score"])
    yield recorder
    recorder.close()


def test_score_records_a_batch_in_a_month_that_nobody_made(recorder, owner):
    recorder.check()
    batch = [replace(a_scored_transaction("a", decision=an_alarm()), shadows=(a_decision(model_version="trial"),))]
    recorder.record(batch, [RUBBISH])
    recorder.record([], [RUBBISH])

    [alert] = recorder.unannounced(["a"])
    recorder.mark_announced([alert], NOON)

    assert recorder.unannounced(["a"]) == []
    assert owner.execute("SELECT count(*) FROM transactions_2026_01").fetchone() == (1,)
    assert owner.execute("SELECT model_version FROM shadow_scores").fetchall() == [("trial",)]
    assert owner.execute("SELECT times FROM rejected_messages").fetchall() == [(2,)]


def test_score_reads_models_lists_signals_and_pasts(recorder, doors):
    recorder.record([a_scored_transaction("a", account_id="acct")], [])
    with psycopg.connect(doors["score"], options="-c timezone=UTC") as connection:
        assert read_deployments(connection).champion is None
        assert read_lists(connection)
        assert newest_signals(connection) is None
    pasts = PostgresPasts(doors["score"])
    assert [account for account, _ in pasts.load(["acct"], until=inf)] == ["acct"]
    pasts.close()


async def test_ingest_reads_what_was_recorded_and_rejected(recorder, doors):
    recorder.record([a_scored_transaction("a")], [])
    engine = async_engine(doors["ingest"])
    records = TransactionRecords(engine)
    await records.check()
    found = await records.find("a")
    assert found is not None
    assert found.transaction_id == "a"
    assert not await records.is_rejected("b")
    await engine.dispose()


async def test_alerts_takes_steps_labels_and_leftovers(recorder, doors):
    recorder.record([a_scored_transaction("a", decision=an_alarm())], [])
    [alert] = recorder.unannounced(["a"])
    engine = async_engine(doors["alerts"])
    records = AlertRecords(engine)
    await records.check()
    async with records.claim_unannounced(timedelta(hours=-1), 10) as claimed:
        assert [each.alert_id for each in claimed] == [alert.alert_id]
    for step in (
        StepTaken(Action.ACKNOWLEDGE, "Ada", None, None, NOON),
        StepTaken(Action.CLOSE, "Ada", None, Disposition.FRAUD, NOON),
        StepTaken(Action.REOPEN, "Ada", None, None, NOON),
    ):
        assert await records.act(alert.alert_id, step)
    label = Label("a", "chargeback", Disposition.FRAUD, NOON)
    for _ in range(2):
        [taken] = await LabelRecords(engine).add([label])
        assert taken.transaction_known
    assert [each.alert_id for each in await records.page(AlertFilter(), None, 10)] == [alert.alert_id]
    await engine.dispose()


@pytest.mark.parametrize(
    ("door", "statement"),
    [
        ("ingest", "INSERT INTO transaction_ids VALUES ('b', now(), '')"),
        ("ingest", "SELECT FROM labels"),
        ("ingest", "SELECT make_month(2020, 1)"),
        ("score", "DELETE FROM transactions"),
        ("score", "UPDATE scores SET score = 0"),
        ("score", "UPDATE alerts SET status = 'closed'"),
        ("score", "INSERT INTO model_deployments (model_version, stage, manifest) VALUES ('m', 'serving', '{}')"),
        ("score", "ALTER TABLE transactions DETACH PARTITION transactions_2026_01"),
        ("score", "DROP TABLE transactions_2026_01"),
        ("score", "SELECT FROM transactions_2026_01"),
        ("score", "CREATE TABLE mine ()"),
        ("alerts", "SELECT FROM transactions"),
        ("alerts", "UPDATE alerts SET risk = 0"),
        ("alerts", "DELETE FROM alerts"),
        ("alerts", "UPDATE alert_events SET by = 'nobody'"),
    ],
)
def test_a_door_can_do_nothing_else(recorder, doors, door, statement):
    recorder.record([a_scored_transaction("a")], [])
    with (
        psycopg.connect(doors[door]) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)


def test_a_login_without_grants_is_told_what_to_do(logins):
    recorder = PostgresRecorder(logins["score"])
    with pytest.raises(DatabaseUnavailable, match="refuses this login; grant it what it lacks"):
        recorder.record([a_scored_transaction("a")], [])
    recorder.close()


def test_granting_again_takes_what_is_not_named_any_more(owner, doors):
    role = sql.Identifier(role_of(doors["ingest"]))
    owner.execute(sql.SQL("GRANT DELETE ON scores TO {}").format(role))
    grant(owner, [Grantee("ingest", role_of(doors["ingest"]))])
    with psycopg.connect(doors["ingest"]) as connection:
        connection.execute("SELECT FROM scores")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM scores")


AZURE = """
CREATE TEMP TABLE asked (role text, object_id text, kind text, admin boolean, mfa boolean);
CREATE FUNCTION pgaadauth_create_principal_with_oid(text, text, text, boolean, boolean) RETURNS text
LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO asked VALUES ($1, $2, $3, $4, $5);
    EXECUTE format('CREATE ROLE %I', $1);
    RETURN $1;
END $$;
"""
"""A stand-in for Azure's function: it makes a plain role, and keeps what it was asked."""


def test_the_role_of_an_identity_is_made_once_without_more_rights(owner, logins):
    present, missing = role_of(logins["score"]), f"id_{uuid4().hex[:8]}"
    grantees = [Grantee("score", present, "o-1"), Grantee("ingest", missing, "o-2"), Grantee("alerts", "plain")]
    with owner.transaction(force_rollback=True):
        owner.execute(AZURE)
        create_principals(owner, grantees)
        create_principals(owner, grantees)
        assert owner.execute("SELECT * FROM asked").fetchall() == [(missing, "o-2", "service", False, False)]


def command(*grantees: str) -> int:
    arguments = [word for grantee in grantees for word in ("--grant", grantee)]
    return main("shared.database", "", COMMANDS, ["migrate", *arguments])


def test_the_command_grants_by_name(owner, logins, monkeypatch, database_url):
    monkeypatch.setenv("FRAUDSENSE_DATABASE_URL", database_url)
    assert command(f"ingest={role_of(logins['ingest'])}") == 0
    with psycopg.connect(logins["ingest"]) as connection:
        connection.execute("SELECT FROM transactions")


def test_a_role_that_is_missing_is_said(database_url, monkeypatch, capsys):
    monkeypatch.setenv("FRAUDSENSE_DATABASE_URL", database_url)
    assert command("ingest=nobody_here") == 2
    assert "Create the role first, or name the object id" in capsys.readouterr().err


@pytest.mark.parametrize("argument", ["cashier=ingest", "ingest", "ingest="])
def test_an_argument_without_door_and_role_is_refused(argument, capsys):
    with pytest.raises(SystemExit):
        command(argument)
    assert "is not DOOR=ROLE[/OBJECT_ID]" in capsys.readouterr().err
