"""Pausing for poison: when, for how long, what is said, and what goes through meanwhile."""

import pytest

from functions.score.invocation import Invocations
from functions.score.poison import PoisonLimits, PoisonWatch, Standing
from tests.scoring import Bench, an_envelope

GARBAGE = b"garbage"
LIMITS = PoisonLimits(window=6, minimum=4, share=0.5)
FLOWING, PAUSING, TRIAL = Standing.FLOWING, Standing.PAUSING, Standing.TRIAL


@pytest.mark.parametrize(
    ("poison", "standing"),
    [
        ([], FLOWING),
        ([1, 1, 1], FLOWING),
        ([1, 1, 1, 1], PAUSING),
        ([0, 0, 1, 1], FLOWING),
        ([0, 1, 1, 1], PAUSING),
        ([0.6, 0.6, 0.6, 0.6], PAUSING),
        ([0, 0, 0, 0, 0, 0, 1, 1, 1], FLOWING),
        ([0, 0, 0, 0, 0, 0, 1, 1, 1, 1], PAUSING),
        ([1, 1, 1, 1, "pause"], TRIAL),
        ([1, 1, 1, 1, "pause", 0, 0, 0], TRIAL),
        ([1, 1, 1, 1, "pause", 1, 1, 1], TRIAL),
        ([1, 1, 1, 1, "pause", 1, 1, 1, 1], PAUSING),
        ([1, 1, 1, 1, "pause", 0, 0, 1, 1], FLOWING),
        ([1, 1, 1, 1, "pause", 0, 0, 1, 1, 1], PAUSING),
        ([1, 1, 1, 1, "pause", "pause", 0, 0, 0, 0], FLOWING),
        (["pause", 0, 1], FLOWING),
    ],
)
def test_the_share_of_poison_decides_where_score_stands(poison: list[float | str], standing: Standing) -> None:
    watch = PoisonWatch(LIMITS)
    for each in poison:
        watch = watch.after_pause() if isinstance(each, str) else watch.after([each])
    assert watch.standing is standing


def test_a_batch_counts_message_by_message() -> None:
    assert PoisonWatch(LIMITS).after([1, 1, 1, 1]).standing is PAUSING
    assert PoisonWatch(LIMITS).after([1, 1, 1]).after([]).standing is FLOWING


def test_between_two_pauses_as_many_messages_are_tried_as_the_share_needs() -> None:
    bench = Bench()
    invocations = bench.invocations(limits=LIMITS)
    for _ in range(12):
        invocations.run([GARBAGE])
    assert bench.slept == [30, 30]
    invocations.run([GARBAGE])
    assert bench.slept == [30, 30, 30]


def test_a_flood_of_rubbish_delays_what_stands_behind_it_by_minutes() -> None:
    bench = Bench()
    invocations = bench.invocations(limits=PoisonLimits())
    for n in range(1000):
        invocations.run([b"rubbish %d" % n])
    invocations.run([an_envelope()])
    assert sum(bench.slept) == 20 * 30
    assert len(bench.recorder.rejected) == 1000
    assert len(bench.recorder.recorded) == 1


def test_score_is_not_ready_from_the_first_pause_until_a_trial_goes_well() -> None:
    bench = Bench()
    parts = bench.parts(limits=LIMITS)
    invocations, ready = Invocations(parts), []
    for message in [GARBAGE] * 4 + [an_envelope()] * 5:
        invocations.run([message])
        ready.append(parts.health.problem() is None)
    assert ready == [True] * 3 + [False] * 4 + [True] * 2
    assert bench.slept == [30]


def test_a_pause_says_why_in_health_and_log(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    parts = bench.parts(limits=LIMITS)
    invocations = Invocations(parts)
    for _ in range(5):
        invocations.run([GARBAGE])
    assert (
        parts.health.problem()
        == "Paused: 100% of the last messages were rejected, so the code is wrong, not the data."
    )
    assert [each.event for each in caplog.records if each.message == parts.health.problem()] == ["poison_pause"]
