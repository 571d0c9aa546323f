"""Whoever keeps the books: each id once, the first decision stands, one alert, nothing lost."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest

from shared.database.recorder import PostgresRecorder
from shared.domain.alert import alert_id_for
from shared.domain.decision import RejectedMessage
from shared.testing.recorder import MemoryRecorder
from tests.builders import NOON, a_decision, a_scored_transaction, an_alarm
from tests.contract.books import TABLES, Books, Entry, MemoryBooks, PostgresBooks, Quarantined


@pytest.fixture(params=["memory", "postgres"])
def books(request: pytest.FixtureRequest) -> Iterator[Books]:
    if request.param == "memory":
        yield MemoryBooks(MemoryRecorder())
        return
    url = request.getfixturevalue("database_url")
    with ExitStack() as opened, psycopg.connect(url, autocommit=True) as reader:
        reader.execute(f"TRUNCATE {TABLES}")
        yield PostgresBooks(reader, lambda: opened.enter_context(closing(PostgresRecorder(url))))


RUBBISH = RejectedMessage("invalid_json", "The body is not valid JSON", b"{rubbish \x00\xff")


def test_a_batch_is_recorded_with_amounts_exact(books):
    books.recorder().record([a_scored_transaction("a", amount=Decimal("123456789012.3456"))], [])
    assert books.entries() == {"a": Entry(Decimal("123456789012.3456"), "model-1")}


def test_an_empty_batch_is_nothing(books):
    books.recorder().record([], [])
    assert books.entries() == {}


def test_a_redelivered_batch_changes_nothing(books):
    recorder, batch = books.recorder(), [a_scored_transaction("a", decision=an_alarm()), a_scored_transaction("b")]
    recorder.record(batch, [])
    before = books.entries(), recorder.unannounced(["a", "b"])
    recorder.record(batch, [])
    assert (books.entries(), recorder.unannounced(["a", "b"])) == before
    assert books.rejections() == []


def test_a_transaction_that_comes_twice_in_a_batch_is_recorded_once(books):
    books.recorder().record([a_scored_transaction("a"), a_scored_transaction("a")], [])
    assert list(books.entries()) == ["a"]
    assert books.rejections() == []


def test_the_first_recorded_decision_stands(books):
    recorder = books.recorder()
    recorder.record([a_scored_transaction("a", decision=a_decision(model_version="model-1"))], [])
    recorder.record([a_scored_transaction("a", decision=an_alarm(model_version="model-2"))], [])
    assert books.entries()["a"].model_version == "model-1"
    assert recorder.unannounced(["a"]) == []


def test_the_same_id_with_other_content_is_an_id_conflict(books):
    recorder, other = books.recorder(), a_scored_transaction("a", amount=Decimal(2), decision=an_alarm())
    recorder.record([a_scored_transaction("a", amount=Decimal(1))], [])
    recorder.record([other], [])
    assert books.entries()["a"].amount == 1
    assert books.rejections() == [Quarantined("id_conflict", "a", other.payload, 1)]
    assert recorder.unannounced(["a"]) == []


def test_the_same_id_with_other_content_in_another_month_is_an_id_conflict(books):
    recorder = books.recorder()
    other = a_scored_transaction("a", amount=Decimal(2), occurred_at=NOON - timedelta(days=400))
    recorder.record([a_scored_transaction("a")], [])
    recorder.record([other], [])
    assert books.entries()["a"].amount == 25
    assert books.rejections() == [Quarantined("id_conflict", "a", other.payload, 1)]


def test_within_a_batch_the_first_of_an_id_wins_over_other_content(books):
    other = a_scored_transaction("a", amount=Decimal(2))
    books.recorder().record([a_scored_transaction("a"), other], [])
    assert books.entries()["a"].amount == 25
    assert books.rejections() == [Quarantined("id_conflict", "a", other.payload, 1)]


def test_the_same_rejected_message_is_kept_once_and_counted(books):
    recorder = books.recorder()
    recorder.record([], [RUBBISH, RUBBISH])
    recorder.record([a_scored_transaction("a")], [RUBBISH])
    assert books.rejections() == [Quarantined("invalid_json", None, RUBBISH.body, 3)]
    assert list(books.entries()) == ["a"]


def test_rejected_messages_that_differ_in_anything_are_kept_apart(books):
    bodies = [RejectedMessage("r", "", body, name) for body in (b"1", b"2") for name in (None, "a")]
    books.recorder().record([], bodies)
    assert len(books.rejections()) == 4


def test_a_card_number_is_never_kept_in_clear(books):
    books.recorder().record([], [RejectedMessage("card_data", "4111111111111111\x00", b"pan 4111111111111111")])
    assert books.rejections() == [Quarantined("card_data", None, b"pan ****************", 1)]


def test_an_alert_carries_what_was_decided(books):
    recorder, scored = books.recorder(), a_scored_transaction("a", decision=an_alarm())
    recorder.record([scored], [])
    [alert] = recorder.unannounced(["a"])
    assert alert.alert_id == alert_id_for("a")
    assert (alert.amount, alert.currency, alert.occurred_at) == (Decimal("25.00"), "USD", NOON)
    assert (alert.reasons, alert.risk, alert.risk_label) == (scored.decision.reasons, 0.95, "HIGH")
    assert (alert.threshold, alert.model_version, alert.status) == (0.9, "model-1", "open")


def test_unannounced_alerts_are_those_asked_for_in_order_until_marked(books):
    recorder = books.recorder()
    for name in ("c", "a", "b"):
        recorder.record([a_scored_transaction(name, decision=an_alarm())], [])
    found = recorder.unannounced(["a", "b", "c", "unknown"])
    assert [alert.transaction_id for alert in found] == ["c", "a", "b"]
    assert sorted(alert.seq for alert in found) == [alert.seq for alert in found]
    recorder.mark_announced(found[:2], NOON)
    recorder.mark_announced(found[:2], NOON + timedelta(hours=1))
    assert recorder.unannounced(["a", "b", "c"]) == found[2:]
    assert recorder.unannounced([]) == []


def test_the_longest_past_and_future_have_a_month(books):
    first = NOON.replace(year=1, month=1, day=1, hour=0)
    last = NOON.replace(year=9999, month=12, day=31, hour=23)
    recorder = books.recorder()
    recorder.record([a_scored_transaction("a", occurred_at=first, decision=an_alarm())], [])
    recorder.record([a_scored_transaction("z", occurred_at=last, decision=an_alarm())], [])
    assert [alert.occurred_at for alert in recorder.unannounced(["a", "z"])] == [first, last]


def test_writers_with_the_same_batches_unsorted_record_each_id_once(books):
    batch = [a_scored_transaction(f"t{n}", decision=an_alarm(), account_id=f"acct-{n % 7}") for n in range(120)]

    def write(seed: int) -> None:
        recorder, shuffled = books.recorder(), random.Random(seed).sample(batch, len(batch))
        for start in range(0, len(batch), 30):
            recorder.record(shuffled[start : start + 30], [RUBBISH])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    names = [s.transaction.transaction_id for s in batch]
    assert sorted(books.entries()) == sorted(names)
    assert [row.times for row in books.rejections()] == [16]
    seqs = [alert.seq for alert in books.recorder().unannounced(names)]
    assert len(set(seqs)) == len(names)


def test_a_check_passes_where_the_books_are_open(books):
    books.recorder().check()
