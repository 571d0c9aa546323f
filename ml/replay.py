"""Replays a CSV of transactions as serving would have met it: history, signals and features of the past only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from ml.signals import SignalBook
from shared.command_line import UserError
from shared.domain.account_history import AccountHistories
from shared.domain.features import feature_row
from shared.domain.history import History
from shared.domain.signals import NO_SIGNALS, Signals
from shared.domain.transaction import Transaction
from shared.messages.transaction_errors import InvalidTransaction
from shared.messages.transaction_in import valid_transaction
from shared.skipped_rows import SkippedRows
from shared.transactions_csv import Row


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction with its past as the scorer would have seen it; label and id as the source has them."""

    transaction: Transaction
    history: History
    signals: Signals
    row: tuple[float, ...]
    is_fraud: bool | None
    written_id: str

    @property
    def day(self) -> date:
        """Its UTC day."""
        return self.transaction.occurred_at.date()


class Learned(NamedTuple):
    """What a step is taken for from a UTC day on."""

    step: Step
    is_fraud: bool
    day: date


AHEAD = timedelta(days=36_525)
"""Files may hold made-up days that are still to come; what lies further ahead is a mistake."""


class Labelled(NamedTuple):
    """A transaction, the label that its source has for it, and its id as written there."""

    transaction: Transaction
    is_fraud: bool | None
    written_id: str


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


def replayed(rows: Iterable[Row], skipped: SkippedRows, feed: LabelFeed = no_labels) -> Iterator[list[Step]]:
    """The steps of each UTC day; `feed` hears of a day once the caller is done with it.

    Transactions that the API would refuse are left out and noted in `skipped`. Raises UserError where these are
    too many, and for rows out of time order.
    """
    yield from observed(valid(rows, skipped), skipped.source, feed)
    skipped.finish()


def observed(labelled: Iterable[Labelled], source: str, feed: LabelFeed = no_labels) -> Iterator[list[Step]]:
    """As `replayed`, of transactions with their labels."""
    replay = _Replay()
    for day in _days(_in_order(labelled, source)):
        steps = replay.day(day)
        yield steps
        replay.know(feed(steps))


def valid(rows: Iterable[Row], skipped: SkippedRows) -> Iterator[Labelled]:
    """The rows as transactions with labels; those that the API would refuse are noted in `skipped` instead.

    Unlike there, times may lie ahead, and of the rows with one id only the first is taken.
    """
    now, ids = datetime.now(UTC) + AHEAD, set[str]()
    for row in rows:
        try:
            transaction = valid_transaction(row.posted, now=now)
        except InvalidTransaction as error:
            skipped.skip(row.line, str(error))
            continue
        if transaction.transaction_id in ids:
            skipped.skip(row.line, "an earlier row has the same transaction id")
            continue
        ids.add(transaction.transaction_id)
        yield Labelled(transaction, row.is_fraud, row.written_id)


def _in_order(labelled: Iterable[Labelled], source: str) -> Iterator[Labelled]:
    newest = datetime.min.replace(tzinfo=UTC)
    for each in labelled:
        transaction = each.transaction
        if transaction.occurred_at < newest:
            raise UserError(
                f"{source} is not in time order: transaction {transaction.transaction_id} is older than the "
                "one before it. Sort the file by its timestamp column."
            )
        newest = transaction.occurred_at
        yield each


def _days(labelled: Iterable[Labelled]) -> Iterator[list[Labelled]]:
    day: list[Labelled] = []
    for each in labelled:
        if day and each.transaction.occurred_at.date() != day[0].transaction.occurred_at.date():
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
        self.signals = self.book.snapshot(labelled[0].transaction.occurred_at.date())
        return [self._step(*each) for each in labelled]

    def _step(self, transaction: Transaction, is_fraud: bool | None, written_id: str) -> Step:
        self.book.add(transaction)
        history = self.histories.observe(transaction)
        row = feature_row(transaction, history, self.signals)
        return Step(transaction, history, self.signals, row, is_fraud, written_id)

    def know(self, learned: Iterable[Learned]) -> None:
        for step, is_fraud, day in learned:
            self.book.know(step.transaction, is_fraud, day)
