"""Labels: PostgreSQL and memory keep the same promises, also where closing an alert gives them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
import pytest

from functions.alerts.parts import Alerts
from shared.database.alerts import AlertRecords
from shared.database.engine import async_engine
from shared.database.labels import LabelRecords
from shared.database.recorder import PostgresRecorder
from shared.domain.alert import Action, Disposition, alert_id_for
from shared.domain.alert_record import StepTaken
from shared.domain.labels import Label
from shared.ports import LabelBook
from shared.testing.alerts import MemoryAlerts
from tests.alerts import an_alert
from tests.builders import NOON, a_scored_transaction, an_alarm
from tests.contract.books import TABLES

FRAUD, LEGITIMATE, _ = Disposition
LATER = NOON + timedelta(hours=1)
Row = tuple[str, str, str, datetime, str | None, str | None]


@dataclass
class Kept:
    """A book of labels, and one recorded transaction `txn-1` with an alert."""

    labels: LabelBook
    alerts: Alerts
    database: str | None = None

    def rows(self) -> list[Row]:
        """Everything kept."""
        if self.database is None:
            kept = self.labels.kept.values()
            return sorted((o.transaction_id, o.source, str(o.verdict), o.known_at, o.by, o.note) for o in kept)
        query = "SELECT transaction_id, source, label, labelled_at, by, note FROM labels ORDER BY 1, 2"
        with psycopg.connect(self.database) as connection:
            return connection.execute(query).fetchall()

    async def step(self, action: Action, at: datetime, disposition: Disposition | None = None) -> None:
        await self.alerts.act(alert_id_for("txn-1"), StepTaken(action, "Ada", "seen", disposition, at))


@pytest.fixture(params=["memory", "postgres"])
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    if request.param == "memory":
        alerts = MemoryAlerts([an_alert(1)])
        alerts.labels.recorded.add("txn-1")
        yield Kept(alerts.labels, alerts)
        return
    url = request.getfixturevalue("database_url")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {TABLES}")
    recorder = PostgresRecorder(url)
    recorder.record([a_scored_transaction("txn-1", decision=an_alarm())], [])
    engine = async_engine(url)
    yield Kept(LabelRecords(engine), AlertRecords(engine), url)
    await engine.dispose()
    recorder.close()


def a_label(verdict: Disposition = FRAUD, transaction_id: str = "txn-1", **changes: object) -> Label:
    given = {"source": "chargeback", "known_at": NOON, "by": "bank", "note": None}
    return Label(transaction_id, verdict=verdict, **(given | changes))


async def effects(kept: Kept, *labels: Label) -> list[tuple[str, bool]]:
    return [(str(taken.effect), taken.transaction_known) for taken in await kept.labels.add(labels)]


async def test_a_label_is_kept_with_source_time_and_who(kept: Kept) -> None:
    assert await effects(kept, a_label(note="by phone")) == [("new", True)]
    assert kept.rows() == [("txn-1", "chargeback", "fraud", NOON, "bank", "by phone")]


async def test_labels_posted_again_change_nothing(kept: Kept) -> None:
    labels = [a_label(), a_label(transaction_id="txn-2"), a_label(LEGITIMATE, source="analyst")]
    await kept.labels.add(labels)
    before = kept.rows()
    again = [a_label(known_at=LATER), *labels[1:]]
    assert await effects(kept, *again) == [("same", True), ("same", False), ("same", True)]
    assert kept.rows() == before


async def test_a_label_of_an_unknown_transaction_waits_for_it(kept: Kept) -> None:
    assert await effects(kept, a_label(transaction_id="to-come")) == [("new", False)]
    assert [row[0] for row in kept.rows()] == ["to-come"]


async def test_a_verdict_known_later_replaces_and_an_earlier_one_does_not(kept: Kept) -> None:
    await kept.labels.add([a_label()])
    assert await effects(kept, a_label(LEGITIMATE, known_at=LATER, by="bank 2")) == [("changed", True)]
    assert await effects(kept, a_label(FRAUD, known_at=NOON)) == [("older", True)]
    assert kept.rows() == [("txn-1", "chargeback", "legitimate", LATER, "bank 2", None)]


async def test_the_same_transaction_twice_in_one_go_is_settled_in_order(kept: Kept) -> None:
    both = [a_label(FRAUD), a_label(LEGITIMATE, known_at=LATER)]
    assert await effects(kept, *both) == [("new", True), ("changed", True)]
    assert [row[2] for row in kept.rows()] == ["legitimate"]


async def test_of_many_at_once_one_is_new(kept: Kept) -> None:
    labels = [a_label(transaction_id=f"txn-{number}") for number in range(50)]
    writers = await asyncio.gather(
        *(effects(kept, *drawn) for drawn in (labels, labels[::-1], labels, labels[::-1]))
    )
    assert [effect for told in writers for effect, _ in told].count("new") == 50
    assert len(kept.rows()) == 50


async def test_closing_an_alert_labels_its_transaction(kept: Kept) -> None:
    await kept.step(Action.ACKNOWLEDGE, NOON)
    assert kept.rows() == []
    await kept.step(Action.CLOSE, LATER, FRAUD)
    assert kept.rows() == [("txn-1", "analyst", "fraud", LATER, "Ada", "seen")]


async def test_reopening_takes_the_label_back_and_closing_again_gives_another(kept: Kept) -> None:
    await kept.labels.add([a_label()])
    await kept.step(Action.CLOSE, NOON, FRAUD)
    await kept.step(Action.REOPEN, LATER)
    assert [row[1] for row in kept.rows()] == ["chargeback"]
    await kept.step(Action.CLOSE, LATER, LEGITIMATE)
    assert [(row[1], row[2]) for row in kept.rows()] == [("analyst", "legitimate"), ("chargeback", "fraud")]


async def test_reopening_leaves_a_label_that_closing_did_not_give(kept: Kept) -> None:
    await kept.labels.add([a_label(LEGITIMATE, source="analyst", known_at=LATER, by="Grace")])
    await kept.step(Action.CLOSE, NOON, FRAUD)
    await kept.step(Action.REOPEN, LATER + timedelta(hours=1))
    assert [(row[1], row[2], row[4]) for row in kept.rows()] == [("analyst", "legitimate", "Grace")]
