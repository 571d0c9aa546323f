"""An evaluation from replay to report: which labels were known, what the models found, and how well."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import file_digest
from time import perf_counter

import numpy as np
import sklearn
from numpy.typing import NDArray

from ml.dataset import Dataset
from ml.experiment import Experiment, Known, Split, prepared
from ml.fit import Growth, Model, check_window, fit, risks
from ml.metrics import Ranking, alerting, brier, calibration, curves, ranking, rule_records
from ml.results import Data, Figures, KnownLabels, LeftOut, Period, Report, SeedResult, Spread, Timings
from shared.command_line import UserError
from shared.csv_layouts import CsvFile
from shared.domain.rules import RuleSet
from shared.skipped_rows import SkippedRows

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


def evaluated(
    file: CsvFile, split: Split, known: Known, rules: RuleSet, growths: Sequence[Growth]
) -> tuple[Report, Scored]:
    """Replay the file once, fit one model for each of `growths`, and judge them on the test days.

    The second is what the first model gave. Raises UserError for files and days that cannot be evaluated.
    """
    began = perf_counter()
    experiment = prepared(file, split, known, rules, growths[0])
    check_window(experiment.window, growths[0])
    check_test_days(experiment, file)
    return judged(experiment, file, known, rules, growths, replay_seconds=perf_counter() - began)


def judged(
    experiment: Experiment,
    file: CsvFile,
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
        data=_data(file, experiment.dataset),
        training=_period(window),
        test=_period(experiment.test),
        labels=_known(known, labels),
        trees=growths[0].trees,
        max_samples=growths[0].max_samples,
        software=software(),
        seeds=seeds,
        spread=_spread([each.ranking for each in seeds if each.ranking]),
        figures=_figures(models[0], scored[0].labelled(), rules),
        no_figures=one_sided(experiment.test),
        skipped=_skipped(experiment.skipped),
        timings=Timings(replay=round(replay_seconds, 3), fit=round(fitting, 3), score=round(scoring, 3)),
    )
    return report, scored[0]


def score(model: Model, test: Dataset) -> Scored:
    """What the model gives these transactions."""
    anomaly = model.anomalies(test)
    return Scored(test, anomaly, risks(model.fitted, test, anomaly))


def check_test(experiment: Experiment, file: CsvFile) -> None:
    """Raise UserError where the test days are not in the file, or give no figures."""
    check_test_days(experiment, file)
    if problem := one_sided(experiment.test):
        raise UserError(f"{file}: {problem} Give other days or another file.")


def check_test_days(experiment: Experiment, file: CsvFile) -> None:
    """Raise UserError where the test days are not in the file."""
    if not len(experiment.test):
        last = experiment.dataset.day[-1].item()
        raise UserError(f"{file} ends on {last}, before the test begins. Give an earlier --test-from.")


def one_sided(test: Dataset) -> str | None:
    """Why these transactions give no figures; None where their labels are of both classes."""
    classes = np.unique(test.label[~np.isnan(test.label)]).tolist()
    if not classes:
        return "the test days lack labels (column is_fraud)."
    if len(classes) == 2:
        return None
    return f"the test days hold {'only frauds' if classes[0] else 'no fraud'}: nothing can be told apart."


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
    if one_sided(test):
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


def _data(file: CsvFile, dataset: Dataset) -> Data:
    with file.path.open("rb") as content:
        digest = file_digest(content, "sha256").hexdigest()
    return Data(
        name=file.path.name,
        sha256=digest,
        transactions=len(dataset),
        accounts=len(np.unique(dataset.account)),
        first=dataset.day[0].item(),
        last=dataset.day[-1].item(),
    )


def _skipped(found: SkippedRows) -> LeftOut:
    return LeftOut(
        rows=found.rows,
        by_reason=dict(found.reasons.most_common()),
        first_line=found.first,
        adjusted=dict(found.adjusted),
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
