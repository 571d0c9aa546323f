"""Anything at all through score with real services and the shipped model: it is recorded or quarantined."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from functions.score.invocation import Invocations
from functions.score.wiring import scorer_for, wire
from shared.settings import Settings
from tests.builders import a_posted_transaction
from tests.envelopes import ANY_ITEM, an_envelope_of, valid_transactions

HELD = """
SELECT (SELECT count(*) FROM transactions) + (SELECT coalesce(sum(times), 0) FROM rejected_messages),
       (SELECT count(*) FROM transaction_ids)
       - (SELECT count(*) FROM scores JOIN transactions USING (transaction_id))
"""
"""Pieces in the books, and ids without transaction and score."""


@pytest.fixture
def invocations(database_url: str, redis_url: str) -> Invocations:
    chosen = Settings(database_url=database_url, redis_url=redis_url, poison_pause_seconds=0)
    return Invocations(wire(chosen, scorer_for(chosen)))


@pytest.fixture
def books(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as books:
        yield books


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.lists(
            ANY_ITEM | valid_transactions().map(lambda posted: {"transaction": posted}), min_size=1, max_size=6
        )
        | st.binary(max_size=20),
        min_size=1,
        max_size=3,
    )
)
@example(
    messages=[
        [{"transaction": a_posted_transaction(note=value)}] for value in ("\x00", "\ud800", {"\x00": 1}, 10**400)
    ]
)
def test_a_batch_of_anything_is_in_the_books_afterwards(
    invocations: Invocations, books: psycopg.Connection, messages: list[list[Any] | bytes]
) -> None:
    [(before, _)] = books.execute(HELD)
    outcome = invocations.run([each if isinstance(each, bytes) else an_envelope_of(each) for each in messages])
    assert outcome is not None
    [(after, halves)] = books.execute(HELD)
    kept = len(outcome.books.new) + len(outcome.books.rejected) + len(outcome.books.conflicts)
    assert (after - before, halves) == (kept, 0)
    assert {each.reason for each in outcome.books.rejected} & {"scoring_failed", "unrecordable"} == set()
