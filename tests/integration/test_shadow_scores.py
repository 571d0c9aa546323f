"""What models on trial say is kept beside the books, and where it cannot be kept the books go on."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from time import monotonic

import psycopg
import pytest

from shared.database.recorder import PostgresRecorder
from shared.telemetry.metrics import configure_metrics, render
from tests.builders import a_decision, a_scored_transaction, an_alarm
from tests.contract.books import TABLES

Fault = Callable[[str], AbstractContextManager[None]]


@pytest.fixture
def books(database_url: str) -> Iterator[psycopg.Connection]:
    """A look at the books, which are empty at first."""
    with psycopg.connect(database_url, autocommit=True) as books:
        books.execute(f"TRUNCATE {TABLES}")
        yield books


@pytest.fixture
def recorder(database_url: str, books: psycopg.Connection) -> Iterator[PostgresRecorder]:
    """Takes two seconds for a batch at most."""
    with closing(PostgresRecorder(database_url, timedelta(seconds=2))) as recorder:
        yield recorder


@contextmanager
def table_gone(url: str) -> Iterator[None]:
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("ALTER TABLE shadow_scores RENAME TO mislaid")
        try:
            yield
        finally:
            owner.execute("ALTER TABLE mislaid RENAME TO shadow_scores")


@contextmanager
def table_without_room(url: str) -> Iterator[None]:
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("ALTER TABLE shadow_scores ADD CONSTRAINT full_up CHECK (score < 0) NOT VALID")
        try:
            yield
        finally:
            owner.execute("ALTER TABLE shadow_scores DROP CONSTRAINT full_up")


@contextmanager
def table_locked(url: str) -> Iterator[None]:
    with psycopg.connect(url) as owner:
        owner.execute("LOCK TABLE shadow_scores")
        yield


def record(recorder: PostgresRecorder, name: str) -> frozenset[str]:
    scored = a_scored_transaction(name, decision=an_alarm())
    return recorder.record([replace(scored, shadows=(a_decision(model_version="on-trial"),))], []).new


def ids(books: psycopg.Connection, table: str) -> list[str]:
    return [name for (name,) in books.execute(f"SELECT transaction_id FROM {table} ORDER BY 1")]  # noqa: S608


def failures() -> float:
    configure_metrics("score")
    return float(render().split(b"\nscore_shadow_failures_total ")[1].split(b"\n")[0])


@pytest.mark.parametrize("fault", [table_gone, table_without_room, table_locked])
def test_where_shadow_scores_cannot_be_written_the_batch_is_recorded_all_the_same(
    recorder: PostgresRecorder, books: psycopg.Connection, database_url: str, fault: Fault
) -> None:
    before, began = failures(), monotonic()

    with fault(database_url):
        assert record(recorder, "a") == {"a"}
        within = monotonic() - began
    assert record(recorder, "b") == {"b"}

    assert (ids(books, "scores"), ids(books, "alerts")) == (["a", "b"], ["a", "b"])
    assert ids(books, "shadow_scores") == ["b"]
    assert within < 4
    assert failures() == before + 1


def test_a_redelivery_adds_no_shadow_scores(recorder: PostgresRecorder, books: psycopg.Connection) -> None:
    record(recorder, "a")
    books.execute("DELETE FROM shadow_scores")

    assert record(recorder, "a") == frozenset()
    assert ids(books, "shadow_scores") == []


def test_a_table_that_cannot_be_written_is_told_once_and_so_is_its_return(
    recorder: PostgresRecorder, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with table_gone(database_url):
        record(recorder, "a")
        record(recorder, "b")
    record(recorder, "c")

    told = [each.event for each in caplog.records if "shadow_scores" in each.getMessage()]
    assert told == ["service_away", "service_back"]
