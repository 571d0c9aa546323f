"""The schedule of faults: the same for a seed, every kind, and times that leave room to heal."""

from itertools import islice, pairwise

import pytest

from local.chaos.payments import Door, Twist, parcels
from local.chaos.schedule import Fault, Kind, schedule

SEEDS = range(20)


def outages(faults: list[Fault]) -> list[Fault]:
    return [fault for fault in faults if fault.kind.is_outage]


def test_a_seed_draws_the_same_schedule_and_another_seed_another() -> None:
    assert schedule(1, 300) == schedule(1, 300)
    assert schedule(1, 300) != schedule(2, 300)


@pytest.mark.parametrize("seed", SEEDS)
def test_five_minutes_have_at_least_twelve_faults_and_every_kind(seed: int) -> None:
    faults = schedule(seed, 300)
    assert len(faults) >= 12
    assert {fault.kind for fault in faults} == set(Kind)


def test_a_few_kinds_come_often_enough() -> None:
    faults = schedule(1, 300, [Kind.KILL_SCORE, Kind.HANG_REDIS])
    assert len(faults) == 12
    assert {fault.kind for fault in faults} == {Kind.KILL_SCORE, Kind.HANG_REDIS}


@pytest.mark.parametrize("seconds", [20, 40, 300, 900])
@pytest.mark.parametrize("seed", SEEDS)
def test_outages_follow_one_another_within_the_run(seed: int, seconds: float) -> None:
    faults = outages(schedule(seed, seconds, [Kind.HANG_REDIS, Kind.DOWN_POSTGRES, Kind.TOGETHER]))
    for fault, following in pairwise(faults):
        assert fault.at + fault.seconds <= following.at
    assert faults[0].at > 0
    assert faults[-1].at + faults[-1].seconds < seconds


@pytest.mark.parametrize("seed", SEEDS)
def test_outages_of_five_minutes_last_five_to_thirty_seconds_but_for_a_long_one(seed: int) -> None:
    *lengths, longest = sorted(fault.seconds for fault in outages(schedule(seed, 300)))
    assert 60 <= longest <= 75
    assert min(lengths) >= 5
    assert max(lengths) <= 30


def test_the_long_outage_meets_any_service() -> None:
    longest = [max(outages(schedule(seed, 300)), key=lambda fault: fault.seconds) for seed in SEEDS]
    assert {away.service for fault in longest for away in fault.away} == {"redis", "postgres", "rabbitmq"}


@pytest.mark.parametrize("seconds", [20, 60, 299])
def test_a_short_run_has_no_long_outage(seconds: float) -> None:
    assert max(fault.seconds for fault in outages(schedule(1, seconds))) <= 30


@pytest.mark.parametrize("seed", SEEDS)
def test_a_long_run_has_one_long_outage(seed: int) -> None:
    lengths = [fault.seconds for fault in outages(schedule(seed, 900))]
    assert [100 <= each <= 150 for each in lengths].count(True) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_two_or_three_services_go_away_together(seed: int) -> None:
    [together] = [fault for fault in schedule(seed, 300) if fault.kind is Kind.TOGETHER]
    services = [away.service for away in together.away]
    assert len(set(services)) == len(services) in (2, 3)


def test_the_load_is_seeded_and_uses_every_door_and_twist_at_about_its_rate() -> None:
    load = list(islice(parcels(1, 300), 4000))
    assert load == list(islice(parcels(1, 300), 4000))
    assert sum(len(parcel.payments) for parcel in load) / load[-1].due == pytest.approx(300, rel=0.1)
    assert {parcel.door for parcel in load} == set(Door)
    assert {parcel.twist for parcel in load} == set(Twist)
    assert [parcel.due for parcel in load] == sorted(parcel.due for parcel in load)
