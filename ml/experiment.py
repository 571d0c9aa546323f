"""A replayed file split into training and test days, with the labels that were known when the test began."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ml.dataset import Collector, Dataset, read_dataset
from ml.fit import Growth, reviewer
from ml.labels import ONE_DAY, AllLabels, FirstLabels, LabelMode, Labels, NoLabels, ReviewedLabels, Reviewer
from ml.replay import Step
from shared.command_line import UserError
from shared.csv_layouts import CsvFile
from shared.domain.rules import RuleSet
from shared.domain.signals import NO_SIGNALS, Signals
from shared.skipped_rows import SkippedRows


@dataclass(frozen=True, slots=True)
class Split:
    """Days of training, both included, and the first day of the test; raises UserError where they overlap."""

    train_from: date
    train_to: date
    test_from: date

    def __post_init__(self) -> None:
        if self.train_to < self.train_from:
            raise UserError(f"Training ends on {self.train_to}, before it begins on {self.train_from}.")
        if self.test_from <= self.train_to:
            raise UserError(
                f"The test begins on {self.test_from}, which is not after the last training day {self.train_to}. "
                "Give a later --test-from or an earlier --train-to."
            )


@dataclass(frozen=True, slots=True)
class Known:
    """Which labels are known, and how long after their transaction."""

    mode: LabelMode
    delay: timedelta


@dataclass(frozen=True, eq=False)
class Experiment:
    """A replayed file, and the label (N,) of each of its transactions as known when the test begins.

    `signals` are those of the end of the training days; `skipped` tells of the rows that were left out.
    """

    split: Split
    dataset: Dataset
    labels: NDArray[np.float64]
    signals: Signals
    skipped: SkippedRows

    @property
    def window(self) -> Dataset:
        """The training days."""
        return self.dataset.where(self._in_window)

    @property
    def window_labels(self) -> NDArray[np.float64]:
        """The labels known of the training days."""
        return self.labels[self._in_window]

    @property
    def test(self) -> Dataset:
        """The test days."""
        return self.dataset.between(self.split.test_from)

    @property
    def _in_window(self) -> NDArray[np.bool_]:
        return self.dataset.days_between(self.split.train_from, self.split.train_to)


def prepared(file: CsvFile, split: Split, known: Known, rules: RuleSet, growth: Growth) -> Experiment:
    """Replay the file; raises UserError for a file that cannot be read and for days that it does not hold.

    `growth` is that of the forest which picks the cards to review, where any are.
    """
    collector = Collector(rules)
    labels = _labels(known, split, collector, partial(reviewer, rules=rules, growth=growth))
    trained = _LastSignals(split.train_to + ONE_DAY)
    skipped = SkippedRows(str(file))
    dataset = read_dataset(file, collector, lambda steps: labels.feed(trained.noted(steps)), skipped)
    first, last = dataset.day[0].item(), dataset.day[-1].item()
    if split.train_to < first or split.train_from > last:
        raise UserError(f"{file} holds {first} to {last}: no day of {split.train_from} to {split.train_to}.")
    return Experiment(split, dataset, labels.known(dataset, split.test_from), trained.signals, skipped)


@dataclass
class _LastSignals:
    """Keeps the newest signals of the days up to `last`."""

    last: date
    signals: Signals = NO_SIGNALS

    def noted(self, steps: list[Step]) -> list[Step]:
        if steps[0].day <= self.last:
            self.signals = steps[0].signals
        return steps


def _labels(known: Known, split: Split, collector: Collector, reviewer: Reviewer) -> Labels:
    mode = known.mode
    if mode.kind == "all":
        return AllLabels(known.delay)
    if mode.kind == "first":
        return FirstLabels(mode.count, split.train_from, known.delay)
    if mode.kind == "reviewed":
        return ReviewedLabels(mode.count, split.train_from, collector, reviewer)
    return NoLabels()
