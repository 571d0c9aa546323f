"""Champion against challenger, on labelled transactions that neither learned from."""

from collections.abc import Iterable
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
"""Each part's transactions get their scores from a model of the other parts; the last part is the contest."""

FEWEST_TO_CHALLENGE = 25
"""Frauds in the last part below which the champion stays without a contest."""

RUNS = 10
"""Parts of the contest that are left out in turn to tell how far its outcome is chance."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """Who is served, both average precisions in the contest, the winner's scores (N,) of what it did not know."""

    mode: Mode
    validation: dict[Mode, float]
    scores: Floats


def contest(examples: Examples, seed: int) -> Outcome:
    """Logistic regression against boosted trees; there are PARTS or more of each class."""
    parts = runs(examples.labels, PARTS)
    earlier, last = parts[:-1], parts[-1]
    champion, challenger = unseen(logistic, examples, parts), partial(boosted, seeds=[seed])
    labels = examples.labels[last]
    if labels.sum() < FEWEST_TO_CHALLENGE:
        return Outcome("logistic", {}, _assembled(parts, champion))
    rival = unseen(challenger, examples, [last])
    validation: dict[Mode, float] = {
        "logistic": float(average_precision_score(labels, champion[-1])),
        "boosted": float(average_precision_score(labels, rival[0])),
    }
    mode = choose(*advantage(labels, champion[-1], rival[0]))
    winner = champion if mode == "logistic" else [*unseen(challenger, examples, earlier), *rival]
    return Outcome(mode, validation, _assembled(parts, winner))


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


def _assembled(parts: list[Places], scores: list[Floats]) -> Floats:
    whole = np.empty(sum(map(len, parts)))
    whole[np.concatenate(parts)] = np.concatenate(scores)
    return whole
