"""Asking score to stop: what waits gives up at once and is not settled, what works goes on."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from functions.score.invocation import Invocations
from functions.score.patience import Patience
from functions.score.poison import PoisonLimits
from functions.score.stopping import Stop, Stopping
from shared.domain.errors import DatabaseUnavailable, HistoryUnavailable
from tests.scoring import Bench, an_envelope

ENOUGH = timedelta(minutes=10)


def stoppable(bench: Bench, stop: Stop) -> Invocations:
    """The function behind the trigger; it waits as it does in earnest."""
    parts = bench.parts(limits=PoisonLimits(window=1, minimum=1))
    return Invocations(replace(parts, sleep=stop.sleep, retry_budget=ENOUGH))


def ended_by(stop: Stop, work: Callable[[], object]) -> None:
    """Runs `work` in a thread, asks to stop while it waits, and fails unless it raised Stopping."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except Stopping as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive(), "it did not wait"
    stop.ask()
    thread.join(5)
    assert len(raised) == 1


def test_a_batch_that_waits_for_a_service_gives_up_unsettled() -> None:
    bench, stop = Bench(), Stop()
    bench.history.away = True
    ended_by(stop, lambda: stoppable(bench, stop).run([an_envelope()]))
    assert bench.put_back == []
    assert bench.recorder.recorded == {}


def test_a_pause_for_poison_ends_and_the_next_batch_is_not_begun() -> None:
    bench, stop = Bench(), Stop()
    invocations = stoppable(bench, stop)
    invocations.run([b"garbage"])
    ended_by(stop, lambda: invocations.run([an_envelope()]))
    assert bench.recorder.recorded == {}


def test_a_newer_envelope_that_came_round_too_early_stays_with_the_host() -> None:
    bench, stop = Bench(), Stop()
    invocations = stoppable(bench, stop)
    invocations.run([an_envelope(v=2)])
    ended_by(stop, lambda: invocations.run([an_envelope(v=2)]))
    assert len(bench.put_back) == 1


def test_a_batch_that_works_goes_on_to_its_end() -> None:
    bench, stop = Bench(), Stop()
    stop.ask()
    stoppable(bench, stop).run([an_envelope()])
    assert len(bench.recorder.recorded) == 1


def test_an_outage_is_told_of_the_service_that_is_away_whoever_asked_for_what(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    failures: list[Exception] = [HistoryUnavailable(), DatabaseUnavailable()]

    def observe() -> str:
        if failures:
            raise failures.pop()
        return "past"

    assert Patience(ENOUGH, sleep=lambda _: None).wait_for("redis", observe) == "past"
    told = [(record.event, record.message.partition(":")[0]) for record in caplog.records]
    assert told[:2] == [("service_away", "postgres"), ("service_away", "redis")]
    assert sorted(told[2:]) == [("service_back", "postgres"), ("service_back", "redis")]
