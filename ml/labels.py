"""Which labels are known when: none, all after a delay, those of cards reviewed each day, or the first frauds."""

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ml.dataset import Collector, Dataset
from ml.replay import Learned, Step, after
from shared.domain.labels import PRESUMED_AFTER

Kind = Literal["none", "all", "reviewed", "first"]
ONE_DAY = timedelta(days=1)

DailyRisk = Callable[[Dataset], NDArray[np.float64]]
"""The risk (N,) of each of a day's N transactions."""

Reviewer = Callable[[Dataset], DailyRisk]
"""Makes of the transactions of the days before what ranks those of the days that follow."""


@dataclass(frozen=True, slots=True)
class LabelMode:
    """`count` is the number of cards a day for `reviewed`, of frauds for `first`."""

    kind: Kind
    count: int = 0

    def __str__(self) -> str:
        return f"{self.kind}:{self.count}" if self.count else self.kind


def label_mode(text: str) -> LabelMode:
    """The value of --labels; raises ArgumentTypeError."""
    kind, _, count = text.partition(":")
    if text in {"none", "all"}:
        return LabelMode(cast("Kind", kind))
    if kind in {"reviewed", "first"} and count.isascii() and count.isdigit() and int(count):
        return LabelMode(cast("Kind", kind), int(count))
    raise argparse.ArgumentTypeError(
        f"{text!r} is none of: none, all, reviewed:K (K cards a day), first:N (until N frauds are confirmed)"
    )


def days(text: str) -> timedelta:
    """A delay in whole days, such as 7d; raises ArgumentTypeError."""
    number = text.removesuffix("d")
    if not (number.isascii() and number.isdigit() and len(number) < 4):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days; write for example 7d")
    return timedelta(days=int(number))


class Labels(Protocol):
    """The labels of a replay: what the daily signals learn of them, and what training knows."""

    def feed(self, steps: list[Step]) -> Iterable[Learned]:
        """As ml.replay.LabelFeed."""

    def known(self, dataset: Dataset, as_of: date) -> NDArray[np.float64]:
        """The label of each transaction as far as it was known before this day; NaN where it was not."""


@dataclass(frozen=True, slots=True)
class NoLabels:
    """No label is ever known."""

    def feed(self, _steps: list[Step]) -> Iterable[Learned]:
        """As the protocol."""
        return ()

    def known(self, dataset: Dataset, _as_of: date) -> NDArray[np.float64]:
        """As the protocol."""
        return np.full(len(dataset), np.nan)


@dataclass(frozen=True, slots=True)
class AllLabels:
    """Every label of the file is known `delay` after its transaction."""

    delay: timedelta

    def feed(self, steps: list[Step]) -> Iterable[Learned]:
        """As the protocol."""
        return after(self.delay)(steps)

    def known(self, dataset: Dataset, as_of: date) -> NDArray[np.float64]:
        """As the protocol."""
        return np.where(dataset.day < np.datetime64(as_of - self.delay), dataset.label, np.nan)


@dataclass(frozen=True, slots=True)
class FirstLabels:
    """The labels from `since` to the `frauds`-th fraud, handed over once: the daily signals see none of them."""

    frauds: int
    since: date
    delay: timedelta

    def feed(self, _steps: list[Step]) -> Iterable[Learned]:
        """As the protocol."""
        return ()

    def known(self, dataset: Dataset, as_of: date) -> NDArray[np.float64]:
        """As the protocol."""
        labels = AllLabels(self.delay).known(dataset.between(self.since), as_of)
        frauds_before = np.cumsum(labels == 1) - (labels == 1)
        known = np.full(len(dataset), np.nan)
        known[dataset.days_between(self.since)] = np.where(frauds_before < self.frauds, labels, np.nan)
        return known


@dataclass
class ReviewedLabels:
    """From `since` on the `cards` with the highest risk of each day are reviewed: their day is known the next.

    `collector` gathers the same replay; `reviewer` makes of the transactions before `since` what ranks the cards.
    """

    cards: int
    since: date
    collector: Collector
    reviewer: Reviewer
    risk_of: DailyRisk | None = None
    reviewed: list[int] = field(default_factory=list)

    def feed(self, steps: list[Step]) -> Iterable[Learned]:
        """As the protocol; what nobody reviewed is presumed legitimate as late as in the service."""
        reviewed = self._review(steps) if steps[0].day >= self.since else set()
        for at, step in enumerate(steps):
            if at not in reviewed:
                yield Learned(step, False, step.day + PRESUMED_AFTER)
            elif step.is_fraud is not None:
                yield Learned(step, step.is_fraud, step.day + ONE_DAY)

    def _review(self, steps: list[Step]) -> set[int]:
        first = len(self.collector) - len(steps)
        if self.risk_of is None:
            self.risk_of = self.reviewer(self.collector.first(first))
        today = self.collector.last(len(steps))
        cards = riskiest_cards(today.account, self.risk_of(today))[: self.cards]
        reviewed = np.flatnonzero(np.isin(today.account, cards)).tolist()
        self.reviewed += [first + at for at in reviewed]
        return set(reviewed)

    def known(self, dataset: Dataset, as_of: date) -> NDArray[np.float64]:
        """As the protocol."""
        known = np.full(len(dataset), np.nan)
        known[self.reviewed] = dataset.label[self.reviewed]
        known[dataset.day >= np.datetime64(as_of - ONE_DAY)] = np.nan
        return known


def riskiest_cards(account: NDArray[np.int64], risk: NDArray[np.float64]) -> NDArray[np.int64]:
    """Each account once, by its highest risk, riskiest first; equal risks by who was first."""
    ranked = account[np.argsort(-risk, kind="stable")]
    _, first = np.unique(ranked, return_index=True)
    return ranked[np.sort(first)]
