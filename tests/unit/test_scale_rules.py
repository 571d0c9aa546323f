"""KEDA's and the HPA's rules as the scaling simulation has them: tables, and what must hold for any queue."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.scale_sim.rules import (
    DOWN,
    Behavior,
    Kind,
    Noted,
    Policy,
    Rules,
    Select,
    State,
    advance,
    desired_replicas,
    poll,
    sped_up,
    sync,
)

RULES = Rules(target=100, maximum=20, polling=5, cooldown=300)


@pytest.mark.parametrize(
    ("replicas", "queue", "desired"),
    [
        (1, 100, 1),
        (1, 109, 1),  # 1.09 of the target: within the tolerance
        (1, 111, 2),
        (4, 361, 4),  # 0.9025
        (4, 359, 4),  # 0.8975: computed anew, and rounded up
        (4, 300, 3),
        (4, 0, 0),
        (2, 2_000, 20),
        (2, 9_999, 100),
    ],
)
def test_the_hpa_wants_one_replica_for_each_target_of_messages(replicas: int, queue: int, desired: int) -> None:
    assert desired_replicas(replicas, RULES, queue) == desired


@pytest.mark.parametrize(
    ("replicas", "queue", "last_active", "left"),
    [
        (0, 0, None, 0),
        (0, 1, None, 1),
        (0, 1, 900.0, 1),
        (7, 1, None, 7),
        (7, 0, 700.0, 7),  # exactly the cooldown: not yet
        (7, 0, 699.9, 0),  # from any number, not by way of one
        (7, 0, None, 0),  # scaled by somebody else: no cooldown
    ],
)
def test_keda_wakes_at_once_and_sleeps_after_the_cooldown(
    replicas: int, queue: int, last_active: float | None, left: int
) -> None:
    assert poll(State(replicas, last_active), RULES, queue, now=1_000.0).replicas == left


def test_keda_counts_the_cooldown_from_the_last_look_that_found_work() -> None:
    woken = poll(State(), RULES, queue=1, now=10.0)
    busy = poll(woken, RULES, queue=1, now=200.0)

    assert (woken.last_active, busy.last_active) == (10.0, 200.0)
    assert poll(busy, RULES, queue=0, now=500.0).replicas == 1
    assert poll(busy, RULES, queue=0, now=500.1).replicas == 0


def test_what_does_not_exceed_the_activation_wakes_nobody() -> None:
    rules = replace(RULES, activation=10)

    assert poll(State(), rules, queue=10, now=0.0).replicas == 0
    assert poll(State(), rules, queue=11, now=0.0).replicas == 1


def test_a_minimum_is_started_and_kept() -> None:
    rules = replace(RULES, minimum=2)

    assert poll(State(), rules, queue=0, now=0.0).replicas == 2
    assert poll(State(2, last_active=0.0), rules, queue=0, now=9_999.0).replicas == 2
    assert sync(State(5), rules, queue=0, now=9_999.0).replicas == 2


@pytest.mark.parametrize(("replicas", "most"), [(1, 5), (2, 6), (4, 8), (5, 10), (9, 18), (11, 20)])
def test_the_hpa_adds_four_or_doubles_within_15_seconds(replicas: int, most: int) -> None:
    assert sync(State(replicas), RULES, queue=9_999, now=100.0).replicas == most


def test_what_was_added_within_the_period_counts() -> None:
    first = sync(State(1), RULES, queue=9_999, now=100.0)
    soon = sync(first, RULES, queue=9_999, now=107.0)
    later = sync(soon, RULES, queue=9_999, now=115.0)

    assert [state.replicas for state in (first, soon, later)] == [5, 5, 10]


def test_the_hpa_goes_down_to_the_most_it_wanted_within_the_window() -> None:
    state = State(8, wanted=(Noted(0.0, 8), Noted(200.0, 3), Noted(290.0, 1)))

    assert sync(state, RULES, queue=0, now=299.9).replicas == 8
    assert sync(state, RULES, queue=0, now=300.0).replicas == 3
    assert sync(state, RULES, queue=0, now=495.0).replicas == 3
    assert sync(state, RULES, queue=0, now=600.0).replicas == 1


def test_the_hpa_never_goes_to_zero_and_leaves_zero_alone() -> None:
    assert sync(State(1), RULES, queue=0, now=9_999.0).replicas == 1
    assert sync(State(0), RULES, queue=9_999, now=9_999.0) == State(0)


def test_a_window_upwards_waits_until_the_wish_lasts() -> None:
    rules = replace(RULES, up=replace(RULES.up, window=30.0))
    state = sync(State(1), rules, queue=50, now=0.0)
    risen = sync(state, rules, queue=1_000, now=15.0)
    lasting = sync(risen, rules, queue=1_000, now=30.0)

    assert [each.replicas for each in (state, risen, lasting)] == [1, 1, 5]


def test_policies_downwards_are_kept() -> None:
    slow = Behavior(0.0, (Policy(Kind.PODS, 1, 60.0), Policy(Kind.PERCENT, 50, 60.0)))

    assert sync(State(8), replace(RULES, down=slow), queue=0, now=0.0).replicas == 4
    assert sync(State(8), replace(RULES, down=replace(slow, select=Select.MIN)), queue=0, now=0.0).replicas == 7
    off = replace(slow, select=Select.DISABLED)
    assert sync(State(8), replace(RULES, down=off, up=off), queue=0, now=0.0).replicas == 8
    assert sync(State(8), replace(RULES, down=off, up=off), queue=9_999, now=0.0).replicas == 8


def test_rules_without_sense_are_refused() -> None:
    for wrong in ({"target": 0.0}, {"maximum": 0}, {"minimum": 21}, {"polling": 0.0}, {"cooldown": -1.0}):
        with pytest.raises(ValueError, match=r"must"):
            replace(RULES, **wrong)


QUEUES = st.lists(st.integers(0, 5_000) | st.just(0), min_size=1, max_size=120)
ALL_RULES = st.builds(
    Rules,
    target=st.integers(1, 500),
    minimum=st.integers(0, 2),
    maximum=st.integers(2, 30),
    activation=st.integers(0, 3),
    polling=st.sampled_from([1.0, 5.0, 30.0]),
    cooldown=st.sampled_from([0.0, 20.0, 300.0]),
    up=st.builds(Behavior, st.sampled_from([0.0, 30.0]), st.just((Policy(Kind.PODS, 4, 15.0),))),
    down=st.builds(Behavior, st.sampled_from([0.0, 60.0]), st.just(DOWN.policies)),
)


def history(rules: Rules, queues: list[int], seconds: float = 5.0) -> list[tuple[float, int, State]]:
    """(time, queue, state after it) at each look."""
    looks, state = [], State(rules.minimum)
    for number, queue in enumerate(queues, start=1):
        state = advance(state, rules, queue, (number - 1) * seconds, number * seconds)
        looks.append((number * seconds, queue, state))
    return looks


@given(ALL_RULES, QUEUES)
def test_replicas_stay_between_minimum_and_maximum(rules: Rules, queues: list[int]) -> None:
    assert all(rules.minimum <= state.replicas <= rules.maximum for _, _, state in history(rules, queues))


@given(ALL_RULES, QUEUES)
def test_zero_comes_only_after_a_whole_cooldown_without_work(rules: Rules, queues: list[int]) -> None:
    looks = history(rules, queues)
    for (_, _, before), (now, _, after) in pairwise(looks):
        if after.replicas == 0 < before.replicas:
            quiet = [
                queue for at, queue, _ in looks if now - rules.cooldown <= at <= now and at % rules.polling == 0
            ]
            assert max(quiet) <= rules.activation


@given(ALL_RULES, QUEUES)
def test_work_that_keda_saw_is_never_left_without_a_replica(rules: Rules, queues: list[int]) -> None:
    for now, queue, state in history(rules, queues):
        if queue > rules.activation and now % rules.polling == 0:
            assert state.replicas > 0


@given(ALL_RULES, QUEUES)
def test_no_step_upwards_exceeds_the_policy(rules: Rules, queues: list[int]) -> None:
    looks = history(rules, queues)
    for (_, _, before), (_, _, after) in pairwise(looks):
        assert after.replicas <= max(before.replicas, 1, rules.minimum) + 4


@given(ALL_RULES, QUEUES, st.sampled_from([2.0, 4.0]))
def test_sped_up_rules_do_the_same_in_less_time(rules: Rules, queues: list[int], speed: float) -> None:
    fast = history(sped_up(rules, speed), queues, 5.0 / speed)

    assert [state.replicas for *_, state in fast] == [state.replicas for *_, state in history(rules, queues)]
