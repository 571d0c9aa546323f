"""What transactions turned out to be: labels from several sources, which verdict stands, and which one counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.alert import Disposition
from shared.domain.alert_record import AlertEvent

CHARGEBACK, ANALYST = "chargeback", "analyst"
PRECEDENCE = (CHARGEBACK, ANALYST)
"""Sources that count more than those after them, and than all others."""

PRESUMED_AFTER = timedelta(days=30)
"""A transaction without any label is presumed legitimate so long after it happened: hardly a chargeback is later.

Without that, an import of chargebacks alone would make every merchant in it look wholly fraudulent.
"""

Key = tuple[str, str]
"""Transaction id and source: each source has one label of a transaction."""


@dataclass(frozen=True, slots=True)
class Label:
    """One source's verdict on a transaction; `known_at` is aware and in UTC, `by` is who says so."""

    transaction_id: str
    source: str
    verdict: Disposition
    known_at: datetime
    by: str | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        if self.known_at.utcoffset() != timedelta(0):
            raise ValueError("known_at must be aware and in UTC")

    @property
    def key(self) -> Key:
        """What it replaces an earlier verdict by."""
        return self.transaction_id, self.source


class Effect(StrEnum):
    """What a label did: there was none of its source; it replaced one; it was there; a later one stands."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    OLDER = "older"


def settled(labels: Sequence[Label], present: Mapping[Key, Label]) -> tuple[list[Effect], list[Label]]:
    """The effect of each label in order, and those to write down, one for each key, sorted by it.

    The verdict known last stands; of two known at once the first. The same verdict again changes nothing.
    """
    standing, written, effects = dict(present), set(), []
    for label in labels:
        effects.append(_effect(label, standing.get(label.key)))
        if effects[-1] in (Effect.NEW, Effect.CHANGED):
            standing[label.key] = label
            written.add(label.key)
    return effects, [standing[key] for key in sorted(written)]


def _effect(label: Label, present: Label | None) -> Effect:
    if present is None:
        return Effect.NEW
    if label.verdict is present.verdict:
        return Effect.SAME
    return Effect.CHANGED if label.known_at > present.known_at else Effect.OLDER


def counting(labels: Iterable[Label]) -> Label | None:
    """Of one transaction's labels the one that counts; None where there is none.

    What says fraud or legitimate counts before what says neither, then the order of PRECEDENCE, then the latest.
    """
    by_source = sorted(labels, key=lambda label: label.source)
    latest_first = sorted(by_source, key=lambda label: label.known_at, reverse=True)
    return min(latest_first, key=_rank, default=None)


def _rank(label: Label) -> tuple[bool, int]:
    place = PRECEDENCE.index(label.source) if label.source in PRECEDENCE else len(PRECEDENCE)
    return label.verdict is Disposition.INCONCLUSIVE, place


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a transaction is taken as fraud, since when, and whether nobody said so."""

    is_fraud: bool
    known_at: datetime
    presumed: bool = False


def outcome(label: Label | None, occurred_at: datetime) -> Outcome | None:
    """What training and signals take a transaction for, by its counting label; None where that is inconclusive.

    Without any label it is presumed legitimate PRESUMED_AFTER it happened, which may lie ahead.
    """
    if label is None:
        return Outcome(False, occurred_at + PRESUMED_AFTER, presumed=True)
    if label.verdict is Disposition.INCONCLUSIVE:
        return None
    return Outcome(label.verdict is Disposition.FRAUD, label.known_at)


def label_of(transaction_id: str, event: AlertEvent) -> Label | None:
    """The analyst's label that a step of an alert's life cycle gives: closing it, and only that, gives one."""
    if event.disposition is None:
        return None
    return Label(transaction_id, ANALYST, event.disposition, event.at, event.by, event.note)
