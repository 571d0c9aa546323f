"""Champion against challenger, on labelled transactions that neither learned from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold

from ml.learners import Examples, Learner, boosted, logistic
from ml.manifest import Mode

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

PARTS = 4
"""So many models give all transactions scores of what did not learn from them."""

FEWEST_TO_CHALLENGE = 25
"""Frauds in a part below which the champion stays without a contest."""

RUNS = 10
"""Stretches of a part that are left out in turn to tell how far the outcome is chance."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """Who is served, both average precisions in the contest, the winner's scores (N,) of what it did not know."""

    mode: Mode
    validation: dict[Mode, float]
    scores: Floats


def contest(examples: Examples, seed: int) -> Outcome:
    """Logistic regression against boosted trees, in time order: each part after the first by what came before it.

    There are PARTS or more of each class.
    """
    parts = runs(examples.labels, PARTS)
    challenger = partial(boosted, seeds=[seed])
    if examples.labels[parts[-1]].sum() < FEWEST_TO_CHALLENGE:
        return Outcome("logistic", {}, _assembled(parts, unseen(logistic, examples, parts)))
    ours, theirs = ahead(challenger, examples, parts), ahead(logistic, examples, parts)
    labels = [examples.labels[part] for part in parts[1:]]
    mode = choose(*_mean([advantage(*part) for part in zip(labels, theirs, ours, strict=True)]))
    winner = challenger if mode == "boosted" else logistic
    validation: dict[Mode, float] = {"logistic": _precision(labels, theirs), "boosted": _precision(labels, ours)}
    return Outcome(mode, validation, _assembled(parts, unseen(winner, examples, parts)))


def choose(more: float, error: float) -> Mode:
    """The mode to serve: the challenger has to be better by more than the standard error of the difference."""
    return "boosted" if more > error else "logistic"


def advantage(labels: Floats, champion: Floats, challenger: Floats) -> tuple[float, float]:
    """By how much average precision the challenger's scores (N,) are better, and the standard error of that.

    The error is the jackknife's over runs of consecutive transactions (Künsch, 1989), as frauds come in bursts.
    """

    def difference(at: Places) -> float:
        theirs, ours = [average_precision_score(labels[at], each[at]) for each in (champion, challenger)]
        return float(ours - theirs)

    everything = np.arange(len(labels))
    without = [difference(np.delete(everything, run)) for run in runs(labels, RUNS)]
    return difference(everything), float(np.sqrt((RUNS - 1) * np.var(without)))


def runs(labels: Floats, count: int) -> list[Places]:
    """The places of `count` parts: of frauds, and of legitimate transactions, each has as many in a row."""
    return [part for _, part in StratifiedKFold(count).split(labels, labels)]


def unseen(learner: Learner, examples: Examples, parts: Iterable[Places]) -> list[Floats]:
    """The scores of each part's transactions by what learns from all others."""
    return [learner(examples.without(part)).scores(examples.rows[part]) for part in parts]


def ahead(learner: Learner, examples: Examples, parts: Sequence[Places]) -> list[Floats]:
    """The scores of each part's transactions but the first's, by what learns from the parts before."""
    pairs = [(np.concatenate(parts[:at]), parts[at]) for at in range(1, len(parts))]
    return [learner(examples.at(before)).scores(examples.rows[part]) for before, part in pairs]


def _mean(found: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The mean of independent figures with their standard errors, and its own."""
    more, errors = np.array(found).T
    return float(more.mean()), float(np.sqrt((errors**2).sum()) / len(errors))


def _precision(labels: Sequence[Floats], scores: Sequence[Floats]) -> float:
    return float(np.mean([average_precision_score(*part) for part in zip(labels, scores, strict=True)]))


def _assembled(parts: list[Places], scores: list[Floats]) -> Floats:
    whole = np.empty(sum(map(len, parts)))
    whole[np.concatenate(parts)] = np.concatenate(scores)
    return whole
