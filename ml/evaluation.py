"""An evaluation from replay to report: which labels were known, what the models found, and how well."""

import platform
from collections.abc import Sequence
from hashlib import file_digest
from time import perf_counter

import numpy as np
import sklearn
from numpy.typing import NDArray

from ml.dataset import Dataset
from ml.experiment import Experiment, Known, Split, prepared
from ml.fit import Growth, Model, check_window
from ml.metrics import Ranking, alerting, brier, calibration, curves, ranking, rule_records
from ml.results import Data, Figures, KnownLabels, LeftOut, Period, Report, SeedResult, Spread, Timings
from ml.runs import Run, Scored, one_sided, run_all
from shared.command_line import UserError
from shared.csv_layouts import CsvFile
from shared.domain.rules import RuleSet
from shared.skipped_rows import SkippedRows

Floats = NDArray[np.float64]


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
    window, runs = experiment.window, run_all(experiment, rules, growths)
    seeds = tuple(map(_seed_result, growths, runs))
    report = Report(
        data=_data(file, experiment.dataset),
        training=_period(window),
        test=_period(experiment.test),
        labels=_known(known, experiment.window_labels),
        trees=growths[0].trees,
        max_samples=growths[0].max_samples,
        software=software(),
        seeds=seeds,
        spread=_spread([each.ranking for each in seeds if each.ranking]),
        figures=_figures(runs[0].model, runs[0].scored.labelled(), rules),
        no_figures=one_sided(experiment.test),
        skipped=_skipped(experiment.skipped),
        timings=_timings(replay_seconds, runs),
    )
    return report, runs[0].scored


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


def software() -> dict[str, str]:
    """Versions that figures may depend on."""
    return {"python": platform.python_version(), "numpy": np.__version__, "scikit-learn": sklearn.__version__}


def _seed_result(growth: Growth, run: Run) -> SeedResult:
    fitted = run.model.fitted
    return SeedResult(
        seed=growth.seed,
        combiner=fitted.mode,
        validation=dict(fitted.validation),
        ranking=run.scored.ranking(),
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


def _timings(replay_seconds: float, runs: Sequence[Run]) -> Timings:
    return Timings(
        replay=round(replay_seconds, 3),
        fit=round(sum(run.fit_seconds for run in runs), 3),
        score=round(sum(run.score_seconds for run in runs), 3),
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
