"""Counts what rules would hit while days of transactions pass, and what the present rules hit of the same."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ml.replay import Step
from shared.domain.price_levels import in_dollars
from shared.domain.rules import RuleSet

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Hits(_Part):
    """Transactions hit: how many, a share of all, and a day.

    Of those with a label: how many of the hits, frauds among these, precision, recall, and the share of the value
    of all frauds; None where there is nothing to divide by.
    """

    hits: int
    share: float
    alerts_per_day: float
    labelled: int
    frauds: int
    precision: float | None
    recall: float | None
    value_caught: float | None


class RuleHits(Hits):
    """One rule's. Of the other present rules: `overlap` is the share of its hits that any of them hits as well,
    `new_frauds` are those that all of them miss. `hits_before` is what the present rule of its name hits.
    """

    name: str
    on: bool
    always_alert: bool
    weight: float
    overlap: float | None
    new_frauds: int
    hits_before: int | None


class Backtest(_Part):
    """What rules would have hit; `together` any of those that are on, `present` any of the present ones."""

    first: date
    last: date
    transactions: int
    labelled: int
    frauds: int
    rules: tuple[RuleHits, ...]
    together: Hits
    present: Hits


@dataclass
class Tally:
    """Tries rules, also those that are off, beside the present ones. Days are added in order; none is kept."""

    rules: RuleSet
    present: RuleSet
    _first: date | None = field(default=None, init=False)
    _last: date | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._tried, names = self.rules.all_on(), [rule.code for rule in self.rules.rules]
        self._on = np.array([rule.on for rule in self.rules.rules], dtype=np.bool_)
        present = [rule.code for rule in self.present.active]
        self._others = np.array([[name != other for name in names] for other in present], dtype=np.intp)
        self._others = self._others.reshape(len(present), len(names))
        self._sums: Floats = np.zeros((4, len(names) + 3 + len(present)))
        self._beside: Floats = np.zeros((2, len(names)))

    def add(self, steps: Sequence[Step]) -> None:
        """Count the transactions of one day."""
        self._first, self._last = self._first or steps[0].day, steps[0].day
        tried, present = _hits(self._tried, steps), _hits(self.present, steps)
        known = np.array([step.is_fraud is not None for step in steps])
        fraud = np.array([step.is_fraud is True for step in steps])
        together = tried[:, self._on].any(1), present.any(1), np.ones(len(steps), dtype=np.bool_)
        self._sums += _sums(np.column_stack([tried, *together, present]), known, fraud, _dollars(steps))
        others = present @ self._others > 0
        self._beside += [(tried & others).sum(0), (tried & ~others)[fraud].sum(0)]

    def result(self) -> Backtest | None:
        """What was found; None where no day was added."""
        if self._first is None or self._last is None:
            return None
        count = len(self.rules.rules)
        return Backtest(
            first=self._first,
            last=self._last,
            transactions=int(self._everything[0]),
            labelled=int(self._everything[1]),
            frauds=int(self._everything[2]),
            rules=tuple(self._rule(at) for at in range(count)),
            together=Hits(**self._figures(count)),
            present=Hits(**self._figures(count + 1)),
        )

    @property
    def _everything(self) -> Floats:
        return self._sums[:, len(self.rules.rules) + 2]

    def _rule(self, at: int) -> RuleHits:
        rule, (shared, new_frauds) = self.rules.rules[at], self._beside[:, at]
        figures = self._figures(at)
        before = [other.code for other in self.present.active]
        own = before.index(rule.code) if rule.code in before else None
        return RuleHits(
            **figures,
            name=rule.code,
            on=rule.on,
            always_alert=rule.always_alert,
            weight=rule.weight,
            overlap=_share(shared, figures["hits"]),
            new_frauds=int(new_frauds),
            hits_before=None if own is None else int(self._sums[0, len(self.rules.rules) + 3 + own]),
        )

    def _figures(self, column: int) -> dict[str, Any]:
        hits, labelled, frauds, value = self._sums[:, column]
        transactions, _, all_frauds, all_value = self._everything
        days = 0 if self._first is None or self._last is None else (self._last - self._first).days + 1
        return {
            "hits": int(hits),
            "share": hits / transactions,
            "alerts_per_day": hits / days,
            "labelled": int(labelled),
            "frauds": int(frauds),
            "precision": _share(frauds, labelled),
            "recall": _share(frauds, all_frauds),
            "value_caught": _share(value, all_value),
        }


def _hits(rules: RuleSet, steps: Sequence[Step]) -> Bools:
    """(N, R) where each active rule fires."""
    past = [s.transaction for s in steps], [s.history for s in steps], [s.row for s in steps]
    return np.array(rules.hits(*past), dtype=np.bool_).reshape(len(steps), len(rules.active))


def _sums(hits: Bools, known: Bools, fraud: Bools, dollars: Floats) -> Floats:
    """(4, K) of hits (N, K): all, labelled, frauds, dollars of frauds."""
    return np.array([hits.sum(0), hits[known].sum(0), hits[fraud].sum(0), dollars[fraud] @ hits[fraud]])


def _dollars(steps: Sequence[Step]) -> Floats:
    return np.array([in_dollars(float(s.transaction.amount), s.transaction.currency) for s in steps])


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
