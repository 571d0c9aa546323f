"""Replays a CSV of transactions as serving would have met it: history, signals and features of the past only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ml.signals import SignalBook
from shared.command_line import UserError
from shared.domain.account_history import AccountHistories
from shared.domain.features import feature_row
from shared.domain.history import History
from shared.domain.signals import NO_SIGNALS, Signals
from shared.domain.transaction import Transaction
from shared.messages.transaction_errors import InvalidTransaction
from shared.messages.transaction_in import parse_transaction
from shared.transactions_csv import Row, line_count, read_transactions


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction with its past: what the scorer would have seen, and the label that the file has for it."""

    transaction: Transaction
    history: History
    signals: Signals
    row: tuple[float, ...]
    is_fraud: bool | None

    @property
    def day(self) -> date:
        """Its UTC day."""
        return self.transaction.occurred_at.date()


class Learned(NamedTuple):
    """What a step is taken for from a UTC day on."""

    step: Step
    is_fraud: bool
    day: date


Labelled = tuple[Transaction, bool | None]
LabelFeed = Callable[[list[Step]], Iterable[Learned]]
"""Told the steps of each day when it is over; answers with the labels that come to be known because of them."""


def no_labels(_day: list[Step]) -> Iterable[Learned]:
    """The feed where no label ever becomes known."""
    return ()


def after(delay: timedelta) -> LabelFeed:
    """The feed where every label that the file has becomes known this long after its transaction."""
    return lambda day: [
        Learned(step, step.is_fraud, step.day + delay) for step in day if step.is_fraud is not None
    ]


def replayed(rows: Iterable[Row], source: str, feed: LabelFeed = no_labels) -> Iterator[list[Step]]:
    """The steps of each UTC day; `feed` hears of a day once the caller is done with it.

    `source` names the rows in errors. Raises UserError for an invalid transaction and for rows out of time order.
    """
    return observed((parsed(row, source) for row in rows), source, feed)


def observed(labelled: Iterable[Labelled], source: str, feed: LabelFeed = no_labels) -> Iterator[list[Step]]:
    """As `replayed`, of transactions with their labels."""
    replay = _Replay()
    for day in _days(_in_order(labelled, source)):
        steps = replay.day(day)
        yield steps
        replay.know(feed(steps))


@contextmanager
def rows_of(path: Path) -> Iterator[Iterable[Row]]:
    """The file's rows under a progress bar on stderr, where that is a terminal."""
    columns = (
        TextColumn("replaying"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        lines = line_count(path) if console.is_terminal else None
        yield progress.track(read_transactions(path), total=lines and lines - 1)


def parsed(row: Row, source: str) -> Labelled:
    """The row as a valid transaction, and its label; raises UserError where the API would refuse it."""
    try:
        return parse_transaction(row.posted, now=datetime.now(UTC)).transaction, row.is_fraud
    except InvalidTransaction as error:
        which, problem = row.posted.get("transaction_id"), str(error).rstrip(".")
        raise UserError(f"{source}, transaction {which}: {problem}. Correct or remove that line.") from error


def _in_order(labelled: Iterable[Labelled], source: str) -> Iterator[Labelled]:
    newest = datetime.min.replace(tzinfo=UTC)
    for transaction, is_fraud in labelled:
        if transaction.occurred_at < newest:
            raise UserError(
                f"{source} is not in time order: transaction {transaction.transaction_id} is older than the "
                "one before it. Sort the file by its timestamp column."
            )
        newest = transaction.occurred_at
        yield transaction, is_fraud


def _days(labelled: Iterable[Labelled]) -> Iterator[list[Labelled]]:
    day: list[Labelled] = []
    for each in labelled:
        if day and each[0].occurred_at.date() != day[0][0].occurred_at.date():
            yield day
            day = []
        day.append(each)
    if day:
        yield day


@dataclass
class _Replay:
    histories: AccountHistories = field(default_factory=AccountHistories)
    book: SignalBook = field(default_factory=SignalBook)
    signals: Signals = NO_SIGNALS

    def day(self, labelled: list[Labelled]) -> list[Step]:
        self.signals = self.book.snapshot(labelled[0][0].occurred_at.date())
        return [self._step(transaction, is_fraud) for transaction, is_fraud in labelled]

    def _step(self, transaction: Transaction, is_fraud: bool | None) -> Step:
        self.book.add(transaction)
        history = self.histories.observe(transaction)
        row = feature_row(transaction, history, self.signals)
        return Step(transaction, history, self.signals, row, is_fraud)

    def know(self, learned: Iterable[Learned]) -> None:
        for step, is_fraud, day in learned:
            self.book.know(step.transaction, is_fraud, day)
