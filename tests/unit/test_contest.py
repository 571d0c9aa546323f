"""The contest of champion and challenger: on what neither learned from, and not won by chance."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.contest import FEWEST_TO_CHALLENGE, PARTS, advantage, ahead, choose, contest, runs, unseen
from ml.learners import Examples, logistic

Floats = NDArray[np.float64]


def spread_out(frauds: int, count: int = 2000) -> Floats:
    labels = np.zeros(count)
    labels[np.linspace(0, count - 1, frauds).astype(int)] = 1
    return labels


def examples(frauds: int) -> Examples:
    """Frauds are either high or low in the only feature, which no line tells apart."""
    labels, chance = spread_out(frauds), np.random.default_rng(7)
    rows = chance.normal(size=len(labels)) + 4 * labels * chance.choice([-1, 1], size=len(labels))
    return Examples(rows[:, None], labels, 1)


@pytest.mark.parametrize(
    ("more", "error", "winner"),
    [(0.03, 0.02, "boosted"), (0.02, 0.02, "logistic"), (0.01, 0.02, "logistic"), (-0.1, 0.02, "logistic")],
)
def test_the_challenger_has_to_win_by_more_than_chance(more: float, error: float, winner: str) -> None:
    assert choose(more, error) == winner


@pytest.mark.parametrize(
    ("frauds", "winner"),
    [(PARTS * FEWEST_TO_CHALLENGE, "boosted"), (PARTS * (FEWEST_TO_CHALLENGE - 1), "logistic")],
)
def test_few_frauds_leave_the_champion_without_a_contest(frauds: int, winner: str) -> None:
    outcome = contest(examples(frauds), seed=7)

    assert outcome.mode == winner
    assert set(outcome.validation) == ({"logistic", "boosted"} if winner == "boosted" else set())
    assert outcome.scores.shape == (2000,)


def test_an_advantage_in_one_stretch_counts_less_than_the_same_everywhere() -> None:
    labels, chance = spread_out(200), np.random.default_rng(7)
    champion = labels + chance.normal(size=2000)
    steady, lucky = labels + 0.7 * chance.normal(size=2000), champion - 0.1 * labels
    lucky[:200] += 2 * labels[:200]

    steady_more, steady_error = advantage(labels, champion, steady)
    lucky_more, lucky_error = advantage(labels, champion, lucky)

    assert choose(steady_more, steady_error) == "boosted"
    assert steady_more > 3 * steady_error
    assert choose(lucky_more, lucky_error) == "logistic"
    assert lucky_more > 0


def test_equals_have_no_advantage() -> None:
    labels = spread_out(50)

    assert advantage(labels, labels, labels) == (0.0, 0.0)


def test_parts_follow_each_other_in_time_and_hold_as_many_frauds() -> None:
    labels = spread_out(100)
    parts = runs(labels, PARTS)

    assert sorted(np.concatenate(parts).tolist()) == list(range(2000))
    assert [labels[part].sum() for part in parts] == [25] * PARTS
    assert max(parts[0]) < min(parts[-1])


def test_scores_do_not_know_the_labels_of_their_own_part() -> None:
    known = examples(100)
    parts = runs(known.labels, PARTS)
    turned = known.labels.copy()
    turned[parts[-1]] = 1 - turned[parts[-1]]
    other = Examples(known.rows, turned, 1)

    [before], [after] = (unseen(logistic, each, [parts[-1]]) for each in (known, other))

    assert before.tolist() == after.tolist()
    assert unseen(logistic, known, [parts[0]])[0].tolist() != unseen(logistic, other, [parts[0]])[0].tolist()


def test_the_contest_knows_nothing_of_what_comes_later() -> None:
    known = examples(100)
    parts = runs(known.labels, PARTS)
    turned = known.labels.copy()
    turned[parts[2]] = 1 - turned[parts[2]]

    before, after = (ahead(logistic, Examples(known.rows, each, 1), parts) for each in (known.labels, turned))

    assert [len(each) for each in before] == [len(part) for part in parts[1:]]
    assert [(one == other).all() for one, other in zip(before, after, strict=True)] == [True, True, False]
