"""Replays a CSV of transactions through the account histories: features and rule hits as serving sees them."""

from __future__ import annotations  # array[...] is a type for checkers only before Python 3.12

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from shared.command_line import UserError
from shared.domain.account_history import AccountHistories
from shared.domain.features import FEATURES, feature_row, named
from shared.domain.risk import combined
from shared.domain.rules import RULES, Case, fired
from shared.domain.signals import NO_SIGNALS
from shared.domain.transaction import Transaction
from shared.messages.transaction_errors import InvalidTransaction
from shared.messages.transaction_in import parse_transaction
from shared.transactions_csv import Row, read_transactions


@dataclass(frozen=True, eq=False)
class Dataset:
    """N transactions in time order.

    `features` (N, F) with NaN where absent, `rule_weight` (N,) the rules' combined weight in [0, 1),
    `day` (N,) UTC days as datetime64[D], `label` (N,) 1 fraud, 0 legitimate, NaN unknown.
    """

    features: NDArray[np.float64]
    rule_weight: NDArray[np.float64]
    day: NDArray[np.datetime64]
    label: NDArray[np.float64]

    def between(self, first: date, last: date | None = None) -> Dataset:
        """The transactions of these days, both included; without `last`, to the end."""
        chosen = self.day >= np.datetime64(first)
        if last is not None:
            chosen &= self.day <= np.datetime64(last)
        return Dataset(self.features[chosen], self.rule_weight[chosen], self.day[chosen], self.label[chosen])

    def __len__(self) -> int:
        return len(self.day)


def read_dataset(path: Path) -> Dataset:
    """Every transaction of the file with its past only, under a progress bar on stderr.

    Raises UserError where the file cannot be read, is empty, holds an invalid transaction or is not in time order.
    """
    columns = (TextColumn("reading"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        return replayed(progress.track(read_transactions(path)), str(path))


def replayed(rows: Iterable[Row], source: str) -> Dataset:
    """The rows as a Dataset; `source` names them in errors. Raises UserError as `read_dataset`."""
    replay = _Replay(source)
    for row in rows:
        replay.add(_transaction(row, source), row.is_fraud)
    if not replay.days:
        raise UserError(f"{source} holds no transactions. Give a CSV with a header line and one per line.")
    return replay.dataset()


def _transaction(row: Row, source: str) -> Transaction:
    try:
        return parse_transaction(row.posted, now=datetime.now(UTC)).transaction
    except InvalidTransaction as error:
        which, problem = row.posted.get("transaction_id"), str(error).rstrip(".")
        raise UserError(f"{source}, transaction {which}: {problem}. Correct or remove that line.") from error


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass
class _Replay:
    """Collects rows in flat arrays: a million rows of tuples would not fit a laptop."""

    source: str
    histories: AccountHistories = field(default_factory=AccountHistories)
    features: array[float] = field(default_factory=lambda: array("d"))
    weights: array[float] = field(default_factory=lambda: array("d"))
    labels: array[float] = field(default_factory=lambda: array("d"))
    days: array[int] = field(default_factory=lambda: array("l"))
    newest: datetime = _LONG_AGO

    def add(self, transaction: Transaction, is_fraud: bool | None) -> None:
        if transaction.occurred_at < self.newest:
            raise UserError(
                f"{self.source} is not in time order: transaction {transaction.transaction_id} is older than the "
                "one before it. Sort the file by its timestamp column."
            )
        self.newest = transaction.occurred_at
        history = self.histories.observe(transaction)
        row = feature_row(transaction, history, NO_SIGNALS)
        hits = fired(RULES, Case(transaction, history, named(row)))
        self.features.extend(row)
        self.weights.append(combined(0.0, (rule.weight for rule in hits)))
        self.labels.append(float("nan") if is_fraud is None else float(is_fraud))
        self.days.append(transaction.occurred_at.toordinal())

    def dataset(self) -> Dataset:
        epoch = date(1970, 1, 1).toordinal()
        return Dataset(
            np.array(self.features).reshape(-1, len(FEATURES)),
            np.array(self.weights),
            (np.array(self.days) - epoch).astype("datetime64[D]"),
            np.array(self.labels),
        )
