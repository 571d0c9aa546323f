"""The scaling simulation's day: its traffic, the queue model, and what a burst's report says."""

import re
from dataclasses import replace

import numpy as np
import pytest

from local.scale_sim import report
from local.scale_sim.choices import CHANGES, SHIPPED, as_row, choices, drawn
from local.scale_sim.course import Course, Plan, Sample
from local.scale_sim.day import NIGHT, SECONDS, Traffic, day
from local.scale_sim.model import Played, Pod, play_day
from local.scale_sim.picture import Line, Panel, Time, picture
from local.scale_sim.rules import Rules
from local.scale_sim.stage import Recorded

POD = Pod(one=0.02, full=0.07, start=20.0, stop=36.0)
RULES = Rules(target=100, maximum=20, polling=5, cooldown=300)


def steady(per_second: float, seconds: int = 3_600, quiet: int = 0) -> Traffic:
    """So many payments a second, each in an envelope of its own, then nothing."""
    payments = np.concatenate([np.full(seconds, per_second), np.zeros(quiet)])
    return Traffic(payments, np.ones(len(payments)))


def always(number: int, traffic: Traffic) -> Played:
    """With so many replicas all the time."""
    return play_day(traffic, replace(RULES, minimum=number, maximum=number), POD, seed=1)


def test_a_seed_gives_the_same_day() -> None:
    assert (day(3).payments == day(3).payments).all()
    assert (day(3).payments != day(4).payments).any()


def test_the_day_has_a_quiet_night_salaries_and_an_attack() -> None:
    payments = day(1).payments
    hour = payments.reshape(24, 3_600).mean(axis=1)

    assert len(payments) == SECONDS
    assert hour[2] == pytest.approx(NIGHT, abs=NIGHT)
    assert hour[8] > 5 * hour[9]
    assert hour[19] > 5 * hour[18]


def test_envelopes_hold_between_one_and_a_hundred() -> None:
    size = day(1, scale=20).size

    assert size.min() == 1
    assert 50 < size.max() <= 100


def test_work_grows_from_an_envelope_of_one_to_a_full_one() -> None:
    assert POD.seconds(np.array([1.0, 50.5, 100.0])) == pytest.approx([0.02, 0.045, 0.07])


def test_pods_that_are_always_there_cost_every_hour_and_nobody_waits() -> None:
    played = always(2, steady(90))

    assert played.pod_hours == 2.0
    assert (played.wait(1.0), played.starts_from_zero) == (0.0, 0)


def test_one_pod_for_twice_its_work_falls_behind_by_half_the_time() -> None:
    played = always(1, steady(100, seconds=600, quiet=600))

    assert played.wait(1.0) == pytest.approx(600, abs=2)
    assert played.wait(0.5) == pytest.approx(300, abs=2)


def test_the_first_payment_waits_for_poll_and_start_and_zero_comes_after_the_cooldown() -> None:
    traffic = steady(0.0, seconds=1_200)
    traffic.payments[7] = 1.0
    played = play_day(traffic, RULES, POD, seed=1)
    running = np.flatnonzero(played.replicas)

    assert played.starts_from_zero == 1
    assert 20 <= played.wait(1.0) <= 26
    assert running[0] == 10
    assert 300 <= len(running) <= 340
    assert played.pod_hours == pytest.approx((len(running) + 36) / 3_600)


def test_replicas_that_scale_keep_up_where_one_does_not() -> None:
    played = play_day(steady(400), RULES, POD, seed=1)

    assert 8 <= played.most <= 20
    assert played.wait(1.0) < 60


def test_more_work_than_the_maximum_does_is_shown_as_waiting() -> None:
    assert play_day(steady(400), replace(RULES, maximum=3), POD, seed=1).waited_over(30.0) > 0.9


def test_the_shipped_rules_come_first_and_each_change_is_one_of_them() -> None:
    rows = [as_row(each) for each in choices(steady(60, 600, 600), RULES, POD, 1, lambda _: None)]

    assert rows[0]["rules"] == SHIPPED
    assert {row["rules"] for row in rows[1:-3]} <= set(CHANGES)
    assert [row["rules"] for row in rows[-3:]] == ["always 5", "always 10", "always 20"]


def test_the_day_is_drawn() -> None:
    first = next(choices(day(1), RULES, POD, 1, lambda _: None))

    assert drawn(first).count("<polyline") == 4


def a_course(recorded: set[str], last: Sample) -> Course:
    """A burst of two accepted payments."""
    plan = Plan(RULES, transactions=2, rate=1.0, quiet=0.0, seed=1)
    samples = [Sample(0.0, 0, 0, 0), Sample(1.0, 2, 1, 0), Sample(4.0, 2, 1, 1), last]
    rows = [Recorded(name, 100.0 + number, 104.0) for number, name in enumerate(sorted(recorded))]
    return Course(plan, 100.0, samples, frozenset({"a", "b"}), rows)


def test_a_burst_that_went_well_has_no_complaints() -> None:
    course = a_course({"a", "b"}, Sample(9.0, 0, 0, 0))
    figures = report.figures(course, speed=1.0)

    assert report.complaints(course) == []
    assert (figures["accepted"], figures["scored"], figures["lost"]) == (2, 2, 0)
    assert figures["replicas"] == [0, 1, 0]
    assert figures["wait_seconds"] == {"0.5": 4.0, "0.99": 4.0, "1": 4.0}
    assert report.drawn(course, 1.0).count("<polyline") == 5


def test_what_was_lost_and_who_stayed_is_said() -> None:
    course = a_course({"a"}, Sample(9.0, 0, 1, 1))

    assert report.figures(course, speed=1.0)["lost"] == 1
    assert report.complaints(course) == [
        "1 accepted payments are not recorded.",
        "1 replicas are left at the end.",
    ]


def test_a_picture_is_closed_and_says_what_it_shows() -> None:
    drawing = picture("A & B", [Panel("one < two", [Line("", [(0, 0), (10, 3)], steps=True)])], Time(10, 5, "s"))

    assert drawing.startswith("<svg xmlns=")
    assert "A &amp; B" in drawing
    assert "one &lt; two" in drawing
    assert re.findall(r">(\d+ s)<", drawing) == ["0 s", "5 s", "10 s"]
    assert 'points="74.0,170.0 844.0,170.0 844.0,40.0"' in drawing
