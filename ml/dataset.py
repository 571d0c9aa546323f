"""A replayed file as flat arrays: features, rule hits and labels of every transaction, in time order."""

from __future__ import annotations  # array[...] is a type for checkers only before Python 3.12

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from ml.progress import rows_of
from ml.replay import LabelFeed, Step, no_labels, replayed
from shared.command_line import UserError
from shared.csv_layouts import CsvFile
from shared.domain.features import FEATURES
from shared.domain.price_levels import in_dollars
from shared.domain.rules import RuleSet
from shared.skipped_rows import SkippedRows

_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, eq=False)
class Dataset:
    """N transactions in time order.

    `ids` (N,) as their source writes them, `account` (N,) a number for each account, `dollars` (N,) the amount in
    roughly dollars, `day` (N,) UTC days as datetime64[D], `features` (N, F) with NaN where absent, `hits` (N, R)
    true where each active rule fired, `label` (N,) 1 fraud, 0 legitimate, NaN unknown.
    """

    ids: NDArray[np.str_]
    account: NDArray[np.int64]
    dollars: NDArray[np.float64]
    day: NDArray[np.datetime64]
    features: NDArray[np.float64]
    hits: NDArray[np.bool_]
    label: NDArray[np.float64]

    def between(self, first: date, last: date | None = None) -> Dataset:
        """The transactions of these days, both included; without `last`, to the end."""
        return self.where(self.days_between(first, last))

    def days_between(self, first: date, last: date | None = None) -> NDArray[np.bool_]:
        """(N,) true on these days, both included; without `last`, to the end."""
        chosen: NDArray[np.bool_] = self.day >= np.datetime64(first)
        return chosen if last is None else chosen & (self.day <= np.datetime64(last))

    def where(self, chosen: NDArray[np.bool_]) -> Dataset:
        """The transactions where `chosen` (N,) is true."""
        return Dataset(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    def without(self, features: Iterable[str] = (), rules: Iterable[int] = ()) -> Dataset:
        """The same transactions where these features are absent and these rules (by column) never fire."""
        columns, hits = self.features.copy(), self.hits.copy()
        columns[:, [list(FEATURES).index(name) for name in features]] = np.nan
        hits[:, list(rules)] = False
        return replace(self, features=columns, hits=hits)

    def __len__(self) -> int:
        return len(self.day)


def read_dataset(
    file: CsvFile, collector: Collector, feed: LabelFeed = no_labels, skipped: SkippedRows | None = None
) -> Dataset:
    """Every transaction of the file with its past only, under a progress bar on stderr.

    `collector` is new; each day is in it before `feed` hears of the day. What is left out is told on stderr, and
    noted in `skipped`. Raises UserError where the file cannot be read, holds nothing or too little that is valid,
    or is not in time order.
    """
    skipped = skipped or SkippedRows(str(file))
    with rows_of(file, skipped) as rows:
        for steps in replayed(rows, skipped, feed):
            collector.add(steps)
    if not len(collector):
        raise nothing_in(file)
    return collector.dataset()


def nothing_in(file: CsvFile) -> UserError:
    """What to say of a file without transactions."""
    return UserError(f"{file} holds no transactions. Give a CSV with a header line and one per line.")


class Collector:
    """Gathers steps in flat arrays: a million rows of tuples would not fit a laptop."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._accounts: dict[str, int] = {}
        self._ids: list[str] = []
        self._numbers, self._days = array("q"), array("q")
        self._dollars, self._features, self._labels = array("d"), array("d"), array("d")
        self._hits = bytearray()

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, steps: list[Step]) -> None:
        """Append the steps, which come after all that were added."""
        for step in steps:
            self._add(step)
        past = [s.transaction for s in steps], [s.history for s in steps], [s.row for s in steps]
        for hits in self._rules.hits(*past):
            self._hits.extend(hits)

    def _add(self, step: Step) -> None:
        transaction = step.transaction
        self._ids.append(step.written_id)
        self._numbers.append(self._accounts.setdefault(transaction.account_id, len(self._accounts)))
        self._dollars.append(in_dollars(float(transaction.amount), transaction.currency))
        self._days.append(transaction.occurred_at.toordinal() - _EPOCH)
        self._features.extend(step.row)
        self._labels.append(float("nan") if step.is_fraud is None else float(step.is_fraud))

    def dataset(self) -> Dataset:
        """All that was added so far."""
        return self._part(slice(0, len(self)))

    def first(self, count: int) -> Dataset:
        """The `count` transactions that were added first."""
        return self._part(slice(0, count))

    def last(self, count: int) -> Dataset:
        """The `count` transactions that were added last."""
        return self._part(slice(len(self) - count, len(self)))

    def _part(self, at: slice) -> Dataset:
        features, rules = len(FEATURES), len(self._rules.active)
        rows, hits = slice(at.start * features, at.stop * features), slice(at.start * rules, at.stop * rules)
        return Dataset(
            ids=np.array(self._ids[at]),
            account=np.array(self._numbers[at]),
            dollars=np.array(self._dollars[at]),
            day=np.array(self._days[at]).astype("datetime64[D]"),
            features=np.array(self._features[rows]).reshape(-1, features),
            hits=np.frombuffer(self._hits[hits], dtype=np.bool_).reshape(at.stop - at.start, rules),
            label=np.array(self._labels[at]),
        )
