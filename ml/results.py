"""What an evaluation found, as report.json holds it."""

from datetime import date

from pydantic import BaseModel, ConfigDict

from ml.manifest import Mode
from ml.metrics import Alerting, Bin, Curves, Ranking, RuleRecord


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Data(_Part):
    """The file, by what identifies it on any machine."""

    name: str
    sha256: str
    transactions: int
    accounts: int
    first: date
    last: date


class LeftOut(_Part):
    """Rows of the file that cannot be used: how many by reason, and the line of the first for each.

    `adjusted` counts what was changed in other rows so that they could be used.
    """

    rows: int = 0
    by_reason: dict[str, int] = {}
    first_line: dict[str, int] = {}
    adjusted: dict[str, int] = {}


class Period(_Part):
    """Days, both included; frauds among the transactions whose label the file has."""

    first: date
    last: date
    transactions: int
    labelled: int
    frauds: int


class KnownLabels(_Part):
    """The labels of the training days that were known when the test began."""

    mode: str
    delay_days: int
    known: int
    frauds: int


class Spread(_Part):
    """A figure over several seeds."""

    mean: float
    min: float
    max: float


class Figures(_Part):
    """Of the first seed, on the labelled transactions of the test days."""

    ranking: Ranking
    high: Alerting
    medium: Alerting
    rules: tuple[RuleRecord, ...]
    brier: float
    calibration: tuple[Bin, ...]
    curves: Curves


class SeedResult(_Part):
    """What one seed gave: which combiner won, and how it ranks (None without labels of both classes)."""

    seed: int
    combiner: Mode
    validation: dict[str, float]
    ranking: Ranking | None


class Timings(_Part):
    """Seconds on the machine of the run: the only part of a report that another machine changes.

    `fit` and `score` are sums over the seeds, which run side by side.
    """

    replay: float
    fit: float
    score: float


class Report(_Part):
    """One evaluation. `figures` and `spread` are None where the test days lack labels of both classes; why, says
    `no_figures`."""

    data: Data
    training: Period
    test: Period
    labels: KnownLabels
    trees: int
    max_samples: int
    software: dict[str, str]
    seeds: tuple[SeedResult, ...]
    spread: dict[str, Spread] | None
    figures: Figures | None
    no_figures: str | None = None
    skipped: LeftOut = LeftOut()
    timings: Timings
    note: str = "Real cards are harder than simulations: published average precision on them is about 0.1."
