"""The recorded alerts: PostgreSQL and memory keep the same promises to the stream, the routes and the sweeper."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from functions.alerts.parts import Alerts
from shared.database.alerts import AlertRecords
from shared.database.engine import async_engine
from shared.database.recorder import PostgresRecorder
from shared.domain.alert import Action, Alert, AlertStatus, Disposition
from shared.domain.alert_record import AlertEvent, AlertFilter, AlertRecord, Cursor, StepTaken
from shared.domain.errors import LifeCycleViolation
from shared.testing.alerts import MemoryAlerts
from tests.alerts import an_alert
from tests.builders import NOON, a_scored_transaction, an_alarm
from tests.contract.books import TABLES

EVERYTHING = AlertFilter()
RECENT = timedelta(hours=-1)


class Recorded:
    """Five recorded alerts, one after the other, of two accounts in turn."""

    def __init__(self, alerts: Alerts, recorded: list[Alert]) -> None:
        self.alerts = alerts
        self.recorded = recorded

    @property
    def seqs(self) -> list[int]:
        return [alert.seq for alert in self.recorded]

    async def step(
        self, alert: Alert, action: Action, disposition: Disposition | None = None
    ) -> AlertRecord | None:
        return await self.alerts.act(alert.alert_id, StepTaken(action, "Ada", "seen", disposition, NOON))


@pytest.fixture(params=["memory", "postgres"])
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[Recorded]:
    if request.param == "memory":
        recorded = [an_alert(seq, account_id=f"acct-{seq % 2}") for seq in range(1, 6)]
        yield Recorded(MemoryAlerts(recorded), recorded)
        return
    url = request.getfixturevalue("database_url")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {TABLES}")
    recorder = PostgresRecorder(url)
    names = [f"txn-{number}" for number in range(1, 6)]
    for number, name in enumerate(names, start=1):
        recorder.record([a_scored_transaction(name, decision=an_alarm(), account_id=f"acct-{number % 2}")], [])
    engine = async_engine(url)
    yield Recorded(AlertRecords(engine), recorder.unannounced(names))
    await engine.dispose()
    recorder.close()


async def test_alerts_are_followed_in_the_order_of_their_numbers(kept: Recorded) -> None:
    first, *others = kept.seqs
    assert await kept.alerts.highest_seq() == others[-1]
    assert [alert.seq for alert in await kept.alerts.newer_than(first, 2)] == others[:2]
    assert await kept.alerts.newer_than(others[-1], 2) == []
    assert [alert.seq for alert in await kept.alerts.newest(2)] == others[-2:]


async def test_pages_show_the_newest_first_and_continue_after_the_cursor(kept: Recorded) -> None:
    first = await kept.alerts.page(EVERYTHING, None, 3)
    second = await kept.alerts.page(EVERYTHING, Cursor(first[-1].seq), 3)
    assert [alert.seq for alert in [*first, *second]] == kept.seqs[::-1]


async def test_filters_choose_by_account_and_status(kept: Recorded) -> None:
    await kept.step(kept.recorded[0], Action.ACKNOWLEDGE)
    acknowledged = AlertFilter(status=AlertStatus.ACKNOWLEDGED)
    assert [alert.seq for alert in await kept.alerts.page(acknowledged, None, 9)] == kept.seqs[:1]
    even = AlertFilter(account_id="acct-0")
    assert [alert.seq for alert in await kept.alerts.page(even, None, 9)] == [kept.seqs[3], kept.seqs[1]]
    unlikely = AlertFilter(min_risk=0.999)
    assert await kept.alerts.page(unlikely, None, 9) == []


async def test_a_step_is_written_down_with_who_and_when(kept: Recorded) -> None:
    alert = kept.recorded[0]
    await kept.step(alert, Action.ACKNOWLEDGE)
    await kept.step(alert, Action.CLOSE, Disposition.FRAUD)
    found = await kept.alerts.find(alert.alert_id)
    assert found is not None
    assert (found.status, found.disposition) == (AlertStatus.CLOSED, Disposition.FRAUD)
    assert (found.acknowledged_at, found.closed_at) == (NOON, NOON)
    assert found.events == (
        AlertEvent(Action.ACKNOWLEDGE, AlertStatus.ACKNOWLEDGED, "Ada", "seen", None, NOON),
        AlertEvent(Action.CLOSE, AlertStatus.CLOSED, "Ada", "seen", Disposition.FRAUD, NOON),
    )


async def test_a_reopened_alert_starts_anew_and_keeps_its_history(kept: Recorded) -> None:
    alert = kept.recorded[0]
    await kept.step(alert, Action.CLOSE, Disposition.LEGITIMATE)
    reopened = await kept.step(alert, Action.REOPEN)
    assert (reopened.status, reopened.disposition, reopened.closed_at) == (AlertStatus.OPEN, None, None)
    assert len(reopened.events) == 2


async def test_a_step_that_the_life_cycle_forbids_changes_nothing(kept: Recorded) -> None:
    alert = kept.recorded[0]
    before = await kept.step(alert, Action.ACKNOWLEDGE)
    with pytest.raises(LifeCycleViolation):
        await kept.step(alert, Action.ACKNOWLEDGE)
    assert await kept.alerts.find(alert.alert_id) == before


async def test_an_unknown_alert_is_none(kept: Recorded) -> None:
    stranger = an_alert(99, alert_id=uuid4())
    assert await kept.alerts.find(stranger.alert_id) is None
    assert await kept.step(stranger, Action.ACKNOWLEDGE) is None


async def test_claimed_alerts_are_the_callers_alone_and_marked_where_the_block_ends_well(kept: Recorded) -> None:
    async with (
        kept.alerts.claim_unannounced(RECENT, 2) as mine,
        kept.alerts.claim_unannounced(RECENT, 9) as theirs,
    ):
        assert [alert.seq for alert in [*mine, *theirs]] == kept.seqs
    async with kept.alerts.claim_unannounced(RECENT, 9) as left_over:
        assert left_over == []
    found = await kept.alerts.find(kept.recorded[0].alert_id)
    assert found is not None
    assert found.announced_at is not None
    assert found.announced_at > datetime.now(UTC) - timedelta(minutes=1)


async def test_claimed_alerts_come_again_where_the_block_raises(kept: Recorded) -> None:
    with pytest.raises(ValueError, match="not announced"):
        async with kept.alerts.claim_unannounced(RECENT, 9):
            raise ValueError("not announced")
    async with kept.alerts.claim_unannounced(RECENT, 9) as again:
        assert [alert.seq for alert in again] == kept.seqs


async def test_fresh_alerts_are_not_claimed(kept: Recorded) -> None:
    async with kept.alerts.claim_unannounced(timedelta(minutes=5), 9) as claimed:
        assert claimed == []
