"""Labels while a file is replayed: the signals learn none before the day after it became known."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from ml.dataset import Collector, Dataset, read_dataset
from ml.labels import AllLabels, Labels, ReviewedLabels
from shared.csv_layouts import CsvFile
from shared.domain.features import FEATURES
from shared.rules_file import SHIPPED_RULES, load_rules
from tests.csv_files import START, Line, lines, written

RISKS = [at for at, name in enumerate(FEATURES) if name.startswith("merchant_risk")]
FRAUD = 1000
"""The first transaction of the tenth day after START, and the largest of that day."""


def all_after(delay: int) -> Callable[[Collector], Labels]:
    return lambda _collector: AllLabels(timedelta(days=delay))


def of_the_largest_payer(collector: Collector) -> Labels:
    since = START.date() + timedelta(days=5)
    return ReviewedLabels(1, since, collector, reviewer=lambda _before: lambda day: day.dollars)


def replayed(path: Path, rows: list[Line], labels: Callable[[Collector], Labels]) -> Dataset:
    collector = Collector(load_rules(SHIPPED_RULES))
    return read_dataset(CsvFile(written(path, rows)), collector, labels(collector).feed)


def first_day_told_apart(path: Path, labels: Callable[[Collector], Labels], flipped: int) -> date:
    """The first day on which the merchants' risks know whether this transaction was fraud."""
    rows = lines(2000, days=20)
    others = [*rows]
    others[flipped] = (*rows[flipped][:-1], 1 - int(str(rows[flipped][-1])))
    one, other = replayed(path, rows, labels), replayed(path, others, labels)
    differing = ~np.isclose(one.features[:, RISKS], other.features[:, RISKS], rtol=0, atol=0, equal_nan=True)
    return min(one.day[differing.any(axis=1)]).item()


@pytest.mark.parametrize(
    ("labels", "shown_after"), [(all_after(7), 8), (all_after(2), 3), (of_the_largest_payer, 2)]
)
def test_a_label_shows_the_day_after_it_became_known_and_never_sooner(
    tmp_path: Path, labels: Callable[[Collector], Labels], shown_after: int
) -> None:
    first = first_day_told_apart(tmp_path / "transactions.csv", labels, FRAUD)

    assert first == START.date() + timedelta(days=10 + shown_after)
