"""Fits a model for each seed and lets it judge the test days; seeds run side by side, a process for each core."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from joblib import Parallel, cpu_count, delayed
from numpy.typing import NDArray

from ml.dataset import Dataset
from ml.experiment import Experiment
from ml.fit import Growth, Model, fit, risks
from ml.metrics import Ranking, ranking
from ml.progress import tracked
from shared.domain.rules import RuleSet

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scored:
    """The test days' N transactions with the anomaly and the risk (N,) that a model gave them."""

    test: Dataset
    anomaly: Floats
    risk: Floats

    def labelled(self) -> "Scored":
        """Those whose label the file has."""
        has_label = ~np.isnan(self.test.label)
        return Scored(self.test.where(has_label), self.anomaly[has_label], self.risk[has_label])

    def ranking(self) -> Ranking | None:
        """How well the labelled ones are ranked; None where their labels are not of both classes."""
        labelled = self.labelled()
        return None if one_sided(labelled.test) else ranking(labelled.test, labelled.risk)


@dataclass(frozen=True, eq=False)
class Run:
    """A fitted model, what it gave the test days, and the seconds that fitting and scoring took."""

    model: Model
    scored: Scored
    fit_seconds: float
    score_seconds: float


def run_all(experiment: Experiment, rules: RuleSet, growths: Sequence[Growth]) -> list[Run]:
    """One run for each of `growths`, in their order, under a progress bar; raises as `fit`."""
    window, labels, test = experiment.window, experiment.window_labels, experiment.test
    jobs = (delayed(_run)(window, labels, test, rules, growth) for growth in growths)
    found: Iterator[Run] = Parallel(n_jobs=min(len(growths), cpu_count()), return_as="generator")(jobs)
    return list(tracked("fitting and scoring", found, len(growths)))


def score(model: Model, test: Dataset) -> Scored:
    """What the model gives these transactions."""
    anomaly = model.anomalies(test)
    return Scored(test, anomaly, risks(model.fitted, test, anomaly))


def one_sided(test: Dataset) -> str | None:
    """Why these transactions give no figures; None where their labels are of both classes."""
    classes = np.unique(test.label[~np.isnan(test.label)]).tolist()
    if not classes:
        return "the test days lack labels (column is_fraud)."
    if len(classes) == 2:
        return None
    return f"the test days hold {'only frauds' if classes[0] else 'no fraud'}: nothing can be told apart."


def _run(window: Dataset, labels: Floats, test: Dataset, rules: RuleSet, growth: Growth) -> Run:
    clock = [perf_counter()]
    model = fit(window, labels, rules, growth)
    clock.append(perf_counter())
    scored = score(model, test)
    clock.append(perf_counter())
    return Run(model, scored, *np.diff(clock).tolist())
