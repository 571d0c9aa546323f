"""What ingest and alerts read and write in PostgreSQL."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256

import psycopg
import pytest
from sqlalchemy import make_url

from shared.database.alerts import AlertRecords
from shared.database.engine import ANSWER_SECONDS, async_engine
from shared.database.outcomes import Outcome, OutcomeRecords
from shared.database.recorder import PostgresRecorder
from shared.database.transactions import TransactionRecords
from shared.domain.alert import Action, AlertStatus, alert_id_for
from shared.domain.alert_record import AlertFilter, StepTaken
from shared.domain.decision import RejectedMessage, RiskLabel
from shared.domain.errors import DatabaseUnavailable
from shared.domain.transaction import Place
from tests.builders import NOON, a_decision, a_scored_transaction, an_alarm
from tests.contract.books import TABLES
from tests.contract.brokers import Proxy


@pytest.fixture
def recorder(database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {TABLES}")
    recorder = PostgresRecorder(database_url)
    yield recorder
    recorder.close()


@pytest.fixture
async def engine(database_url):
    engine = async_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def transactions(engine):
    return TransactionRecords(engine)


@pytest.fixture
def alerts(engine):
    return AlertRecords(engine)


def raise_alerts(recorder, *names, **changes) -> None:
    """One after the other, so that their order is known."""
    for name in names:
        recorder.record([a_scored_transaction(name, decision=an_alarm(), **changes)], [])


def acknowledged_by(analyst) -> StepTaken:
    return StepTaken(Action.ACKNOWLEDGE, analyst, note="seen", disposition=None, at=NOON)


class TestTransactions:
    async def test_a_transaction_is_found_with_everything_stored_and_decided(self, recorder, transactions):
        scored = a_scored_transaction(
            "a",
            amount=Decimal("12.3456"),
            place=Place(1.5, -2.5),
            channel="online",
            payload=b'{"extra":{"deep":[1,2]}}',
            decision=an_alarm(),
        )
        recorder.record([scored], [])
        found = await transactions.find("a")
        assert found is not None
        assert (found.transaction_id, found.amount, found.timestamp) == ("a", Decimal("12.3456"), NOON)
        assert (found.geo_lat, found.geo_lon, found.home_lat, found.channel) == (1.5, -2.5, None, "online")
        assert found.raw_payload == {"extra": {"deep": [1, 2]}}
        assert (found.score, found.risk_label, found.anomaly) == (0.95, RiskLabel.HIGH, 0.8)
        assert (found.reasons, found.alert_id) == (scored.decision.reasons, alert_id_for("a"))

    async def test_a_quiet_transaction_has_no_alert(self, recorder, transactions):
        recorder.record([a_scored_transaction("a", decision=a_decision(model_version="m7"))], [])
        found = await transactions.find("a")
        assert (found.alert_id, found.reasons, found.model_version) == (None, (), "m7")

    async def test_a_migration_meanwhile_costs_one_answer_and_no_more(self, recorder, transactions, database_url):
        recorder.record([a_scored_transaction("a")], [])
        for _ in range(8):
            await transactions.find("a")
        with psycopg.connect(database_url, autocommit=True) as migration:
            migration.execute("ALTER TABLE scores ALTER COLUMN model_version TYPE varchar(64)")
            try:
                with pytest.raises(DatabaseUnavailable):
                    await transactions.find("a")
                assert (await transactions.find("a")).model_version == "model-1"
            finally:
                migration.execute("ALTER TABLE scores ALTER COLUMN model_version TYPE text")

    async def test_an_unknown_transaction_is_none(self, transactions):
        assert await transactions.find("unknown") is None

    async def test_a_quarantined_id_is_rejected(self, recorder, transactions):
        recorder.record([], [RejectedMessage("missing", "no amount", b"{}", "a")])
        assert await transactions.is_rejected("a")
        assert not await transactions.is_rejected("b")

    async def test_a_quarantined_message_with_other_content_rejects_no_accepted_one(self, recorder, transactions):
        recorder.record([], [RejectedMessage("scoring_failed", "a bug", b'{"amount":"1"}', "a")])
        assert await transactions.is_rejected("a", sha256(b'{"amount":"1"}').digest())
        assert not await transactions.is_rejected("a", sha256(b'{"amount":"2"}').digest())

    async def test_a_check_passes_where_the_database_is_migrated(self, transactions):
        await transactions.check()

    async def test_a_check_fails_where_it_is_not(self, services):
        engine = async_engine(services.database)
        with pytest.raises(DatabaseUnavailable, match="transaction_ids"):
            await TransactionRecords(engine).check()
        await engine.dispose()

    async def test_no_server_is_unavailability(self):
        engine = async_engine("postgresql://nobody@127.0.0.1:1/none")
        with pytest.raises(DatabaseUnavailable):
            await TransactionRecords(engine).find("a")


class TestAlerts:
    async def test_each_filter_narrows(self, recorder, alerts):
        raise_alerts(recorder, "a", "b")
        raise_alerts(recorder, "c", account_id="acct-9", merchant_id="mer-9")
        quiet = an_alarm(risk=0.3, label=RiskLabel.MEDIUM)
        recorder.record([a_scored_transaction("d", decision=quiet)], [])
        await alerts.act(alert_id_for("a"), acknowledged_by("ann"))
        b = await alerts.find(alert_id_for("b"))
        for filters, expected in {
            AlertFilter(status=AlertStatus.ACKNOWLEDGED): ["a"],
            AlertFilter(risk_label=RiskLabel.MEDIUM): ["d"],
            AlertFilter(account_id="acct-9"): ["c"],
            AlertFilter(merchant_id="mer-9"): ["c"],
            AlertFilter(min_risk=0.95): ["c", "b", "a"],
            AlertFilter(since=b.created_at): ["d", "c", "b"],
            AlertFilter(until=b.created_at): ["a"],
            AlertFilter(status=AlertStatus.OPEN, min_risk=0.5, since=b.created_at): ["c", "b"],
        }.items():
            assert [alert.transaction_id for alert in await alerts.page(filters, None, 10)] == expected

    @pytest.mark.usefixtures("recorder")
    async def test_without_any_alert_the_highest_seq_is_zero(self, alerts):
        assert await alerts.highest_seq() == 0

    async def test_of_two_analysts_at_once_one_is_refused(self, recorder, alerts):
        raise_alerts(recorder, "a")
        steps = [alerts.act(alert_id_for("a"), acknowledged_by(name)) for name in ("ann", "bob")]
        outcomes = await asyncio.gather(*steps, return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["AlertRecord", "LifeCycleViolation"]
        assert len((await alerts.find(alert_id_for("a"))).events) == 1


async def test_a_database_that_falls_silent_is_unavailable_within_seconds(database_url: str) -> None:
    server = make_url(database_url)
    proxy = Proxy(server.host or "127.0.0.1", server.port or 5432)
    await proxy.start()
    engine = async_engine(server.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False))
    transactions = TransactionRecords(engine)
    assert await transactions.find("unknown") is None
    proxy.stall()
    try:
        async with asyncio.timeout(ANSWER_SECONDS + 2):
            with pytest.raises(DatabaseUnavailable):
                await transactions.find("unknown")
    finally:
        proxy.flow()
        await engine.dispose()
        await proxy.stop()


async def test_a_rejection_counts_once_it_is_seen_again_since_then(recorder, engine):
    rejection = RejectedMessage("scoring_failed", "it raised", b"{}", "txn-1")
    recorder.record([], [rejection])
    outcomes = OutcomeRecords(engine)
    since = datetime.now(UTC)

    before = await outcomes.of(["txn-1"], since)
    recorder.record([], [rejection])
    again = await outcomes.of(["txn-1"], since)
    recorder.record([a_scored_transaction("txn-1")], [])
    scored = await outcomes.of(["txn-1"], since)

    assert (before, again) == ({}, {"txn-1": Outcome("rejected")})
    assert scored["txn-1"].status == "scored"
