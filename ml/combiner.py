"""Learns from labels how to make one risk of features, forest and rules, where labels suffice."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.contest import contest
from ml.learned import LearnedCombiner, design
from ml.learners import Examples, boosted, logistic
from ml.manifest import BOTH, Mode
from shared.domain.risk import Combiner, EitherCombiner, Findings, NoisyOr

Floats = NDArray[np.float64]

FEWEST_OF_A_CLASS = 25
"""Labelled frauds, and labelled legitimate transactions, below which nothing is learned from them."""

ENOUGH_FRAUDS = 200
"""Labelled frauds below which what they taught is served beside the unlabelled combination, not instead of it."""

FEWEST_HITS = 20
"""Labelled transactions that a rule must have fired on before its weight is learned."""

BOOSTED_MODELS = 3
"""A boosted combiner is the mean of so many, each of its own seed."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """The combiner to serve, how it came about, and each candidate's average precision in the contest.

    `unseen` (N,) are risks of the window as they will be of new transactions: that of a labelled one comes from
    what was learned from others.
    """

    combiner: Combiner
    mode: Mode
    validation: dict[Mode, float]
    unseen: Floats

    @property
    def learned(self) -> LearnedCombiner | None:
        """What labels taught, if anything."""
        combiner = self.combiner.learned if isinstance(self.combiner, EitherCombiner) else self.combiner
        return combiner if isinstance(combiner, LearnedCombiner) else None


@dataclass(frozen=True, eq=False)
class _Material:
    """Rows of `design` (N, K), hits (N, R) and labels (N,) 1 fraud, 0 legitimate, NaN unknown."""

    rows: Floats
    hits: Floats
    labels: Floats
    unlabelled: NoisyOr

    @property
    def known(self) -> NDArray[np.bool_]:
        """(N,) true where the label is known."""
        return ~np.isnan(self.labels)

    @property
    def taught(self) -> NDArray[np.bool_]:
        """(R,) true for rules that labels tell enough of."""
        enough: NDArray[np.bool_] = self.hits[self.known].sum(axis=0) >= FEWEST_HITS
        return enough

    def examples(self) -> Examples:
        """What can be learned from."""
        known, features = self.known, self.rows.shape[1] - self.hits.shape[1] - 1
        rows = np.hstack([self.rows[known, : features + 1], self.hits[known] * self.taught])
        return Examples(rows, self.labels[known], features)

    def learned(self, mode: Mode, seed: int) -> LearnedCombiner:
        """What the examples teach. Beside the unlabelled combination, no rule's declared weight counts twice."""
        examples, seeds = self.examples(), range(seed, seed + BOOSTED_MODELS)
        model = logistic(examples) if mode.startswith("logistic") else boosted(examples, seeds)
        known = self.taught | (mode in BOTH.values())
        declared = np.where(known, 0.0, self.unlabelled.weights)
        return LearnedCombiner(self.unlabelled.calibration, model, declared)

    def served(self, learned: LearnedCombiner, mode: Mode) -> Combiner:
        """The combiner of the mode."""
        return EitherCombiner(learned, self.unlabelled) if mode in BOTH.values() else learned


def fit_combiner(findings: Findings, labels: Floats, *, unlabelled: NoisyOr, seed: int) -> Fitted:
    """The combiner that these N labelled transactions in time order teach; `unlabelled` where they do not suffice.

    `findings` holds arrays; `labels` (N,) 1 fraud, 0 legitimate, NaN unknown (left out). `unlabelled` brings the
    rules' declared weights and the calibration of the anomalies.
    """
    material = _material(findings, labels, unlabelled)
    examples = material.examples()
    if examples.fewest_of_a_class < FEWEST_OF_A_CLASS:
        return Fitted(unlabelled, "unlabelled", {}, np.array(unlabelled.risks(findings)))
    outcome = contest(examples, seed)
    mode = outcome.mode if examples.labels.sum() >= ENOUGH_FRAUDS else BOTH[outcome.mode]
    learned = material.learned(mode, seed)
    scores = learned.model.scores(material.rows)
    scores[material.known] = outcome.scores
    unseen = learned.risks_of(scores, material.hits)
    if mode in BOTH.values():
        unseen = 1 - (1 - unseen) * (1 - np.array(unlabelled.risks(findings)))
    return Fitted(material.served(learned, mode), mode, outcome.validation, unseen)


def combiner_of(mode: Mode, findings: Findings, labels: Floats, *, unlabelled: NoisyOr, seed: int) -> Combiner:
    """As `fit_combiner`, of this mode without a contest."""
    if mode == "unlabelled":
        return unlabelled
    material = _material(findings, labels, unlabelled)
    return material.served(material.learned(mode, seed), mode)


def _material(findings: Findings, labels: Floats, unlabelled: NoisyOr) -> _Material:
    hits = np.asarray(findings.hits, dtype=np.float64)
    return _Material(design(findings, unlabelled.calibration), hits, labels, unlabelled)
