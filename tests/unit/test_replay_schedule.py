"""When rows of a replay are due."""

import pytest

from local.replay_schedule import BATCH, schedule
from shared.command_line import UserError
from shared.transactions_csv import Row


def rows_at(*times: str) -> list[Row]:
    return [Row({"transaction_id": f"t-{n}", "timestamp": time}, None) for n, time in enumerate(times)]


def rows(count: int) -> list[Row]:
    return rows_at(*["2026-01-01T00:00:00Z"] * count)


def ids(batch: object) -> list[str]:
    return [row.posted["transaction_id"] for row in batch.rows]  # type: ignore[attr-defined]


def test_without_a_pace_everything_is_due_at_once_in_full_batches() -> None:
    batches = list(schedule(rows(250)))

    assert [len(batch.rows) for batch in batches] == [BATCH, BATCH, 50]
    assert {batch.due for batch in batches} == {0.0}
    assert [each for batch in batches for each in ids(batch)] == [f"t-{n}" for n in range(250)]


def test_an_empty_file_has_no_batches() -> None:
    assert list(schedule([])) == []


def test_a_rate_spreads_rows_and_never_sends_one_early() -> None:
    batches = list(schedule(rows(100), rate=50))

    assert sum(len(batch.rows) for batch in batches) == 100
    sent = 0
    for batch in batches:
        sent += len(batch.rows)
        assert sent <= batch.due * 50 + 1.001


def test_a_slow_rate_sends_rows_one_by_one() -> None:
    assert [(batch.due, len(batch.rows)) for batch in schedule(rows(3), rate=2)] == [(0, 1), (0.5, 1), (1.0, 1)]


def test_speedup_follows_the_files_own_clock() -> None:
    batches = list(
        schedule(rows_at("2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z", "2026-01-01T01:00:00+00:00"), speedup=60)
    )

    assert [batch.due for batch in batches] == [0.0, 1.0, 60.0]


def test_a_clock_that_runs_backwards_delays_nothing() -> None:
    batches = list(
        schedule(rows_at("2026-01-01T01:00:00Z", "2026-01-01T00:00:00Z", "2026-01-01T01:00:10Z"), speedup=1)
    )

    assert [(batch.due, len(batch.rows)) for batch in batches] == [(0.0, 2), (10.0, 1)]


def test_the_slower_of_rate_and_speedup_counts() -> None:
    times = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-01-01T00:00:30Z")

    assert [batch.due for batch in schedule(rows_at(*times), rate=0.1, speedup=1)] == [0, 10, 30]


def test_a_clock_that_cannot_be_read_is_refused_with_an_example() -> None:
    with pytest.raises(UserError, match="2019-01-01T00:03:38Z; 'noon' is none"):
        list(schedule(rows_at("noon"), speedup=2))
