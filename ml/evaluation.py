"""An evaluation from replay to report: which labels were known, what the models found, and how well."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from time import perf_counter

import numpy as np
import sklearn
from numpy.typing import NDArray

from ml.dataset import Dataset
from ml.experiment import Experiment, Known, Split, prepared
from ml.fit import Growth, Model, check_window, fit, risks
from ml.metrics import Ranking, alerting, brier, calibration, curves, ranking, rule_records
from ml.results import Data, Figures, KnownLabels, Period, Report, SeedResult, Spread, Timings
from shared.command_line import UserError
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
        """How well the labelled ones are ranked; None where no label is there."""
        labelled = self.labelled()
        return ranking(labelled.test, labelled.risk) if len(labelled.test) else None


def evaluated(
    path: Path, split: Split, known: Known, rules: RuleSet, growths: Sequence[Growth]
) -> tuple[Report, Scored]:
    """Replay the file once, fit one model for each of `growths`, and judge them on the test days.

    The second is what the first model gave. Raises UserError for files and days that cannot be evaluated.
    """
    began = perf_counter()
    experiment = prepared(path, split, known, rules, growths[0])
    check_window(experiment.window, growths[0])
    check_test(experiment, path)
    return judged(experiment, path, known, rules, growths, replay_seconds=perf_counter() - began)


def judged(
    experiment: Experiment,
    path: Path,
    known: Known,
    rules: RuleSet,
    growths: Sequence[Growth],
    *,
    replay_seconds: float,
) -> tuple[Report, Scored]:
    """As `evaluated`, of a file that was replayed."""
    clock = [perf_counter()]
    window, labels = experiment.window, experiment.window_labels
    models = [fit(window, labels, rules, growth) for growth in growths]
    clock.append(perf_counter())
    scored = [score(model, experiment.test) for model in models]
    clock.append(perf_counter())
    fitting, scoring = np.diff(clock).tolist()
    seeds = tuple(map(_seed_result, growths, models, scored))
    report = Report(
        data=_data(path, experiment.dataset),
        training=_period(window),
        test=_period(experiment.test),
        labels=_known(known, labels),
        trees=growths[0].trees,
        max_samples=growths[0].max_samples,
        software=software(),
        seeds=seeds,
        spread=_spread([each.ranking for each in seeds if each.ranking]),
        figures=_figures(models[0], scored[0].labelled(), rules),
        timings=Timings(replay=round(replay_seconds, 3), fit=round(fitting, 3), score=round(scoring, 3)),
    )
    return report, scored[0]


def score(model: Model, test: Dataset) -> Scored:
    """What the model gives these transactions."""
    anomaly = model.anomalies(test)
    return Scored(test, anomaly, risks(model.fitted, test, anomaly))


def check_test(experiment: Experiment, path: Path) -> None:
    """Raise UserError where the test days are not in the file, or their labels are all the same."""
    test, last = experiment.test, experiment.dataset.day[-1].item()
    if not len(test):
        raise UserError(f"{path} ends on {last}, before the test begins. Give an earlier --test-from.")
    classes = np.unique(test.label[~np.isnan(test.label)])
    if len(classes) == 1:
        raise UserError(
            f"The test days of {path} hold {'only frauds' if classes[0] else 'no fraud'}: nothing can be told "
            "apart. Give other days, or a file whose column is_fraud holds both 0 and 1."
        )


def software() -> dict[str, str]:
    """Versions that figures may depend on."""
    return {"python": platform.python_version(), "numpy": np.__version__, "scikit-learn": sklearn.__version__}


def _seed_result(growth: Growth, model: Model, scored: Scored) -> SeedResult:
    return SeedResult(
        seed=growth.seed,
        combiner=model.fitted.mode,
        validation=dict(model.fitted.validation),
        ranking=scored.ranking(),
    )


def _spread(rankings: Sequence[Ranking]) -> dict[str, Spread] | None:
    if not rankings:
        return None
    figures = {
        "auc": [each.auc for each in rankings],
        "average_precision": [each.average_precision for each in rankings],
        "card_precision": [each.card_precision for each in rankings],
    }
    for at, share in enumerate(rankings[0].at):
        figures[f"recall_at_{share.share:g}"] = [each.at[at].recall for each in rankings]
    return {
        name: Spread(mean=float(np.mean(found)), min=min(found), max=max(found)) for name, found in figures.items()
    }


def _figures(model: Model, scored: Scored, rules: RuleSet) -> Figures | None:
    test, risk = scored.test, scored.risk
    if not len(test):
        return None
    return Figures(
        ranking=ranking(test, risk),
        high=alerting(test, risk, model.high.threshold, model.high.target_rate),
        medium=alerting(test, risk, model.medium.threshold, model.medium.target_rate),
        rules=rule_records(test, [rule.code for rule in rules.active]),
        brier=brier(test.label, risk),
        calibration=calibration(test.label, risk),
        curves=curves(test.label, risk),
    )


def _data(path: Path, dataset: Dataset) -> Data:
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    return Data(
        name=path.name,
        sha256=digest,
        transactions=len(dataset),
        accounts=len(np.unique(dataset.account)),
        first=dataset.day[0].item(),
        last=dataset.day[-1].item(),
    )


def _period(part: Dataset) -> Period:
    return Period(
        first=part.day[0].item(),
        last=part.day[-1].item(),
        transactions=len(part),
        labelled=int((~np.isnan(part.label)).sum()),
        frauds=int(np.nansum(part.label)),
    )


def _known(known: Known, labels: Floats) -> KnownLabels:
    return KnownLabels(
        mode=str(known.mode),
        delay_days=known.delay.days,
        known=int((~np.isnan(labels)).sum()),
        frauds=int(np.nansum(labels)),
    )
