"""`python -m ml model-card`: measure the model anew and write the figures into its card."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import perf_counter

from ml.ablation import Ablation, LeftOut, parts
from ml.evaluate import add_data, write_text
from ml.evaluation import check_test, judged
from ml.experiment import Experiment, Known, Split, prepared
from ml.fit import Growth, check_window
from ml.labels import label_mode
from ml.metrics import Ranking, RuleRecord
from ml.progress import tracked
from ml.results import Figures, Report
from ml.runs import Scored
from ml.train import days_of
from shared.command_line import UserError
from shared.csv_layouts import CsvFile, csv_file
from shared.domain.rules import RuleSet
from shared.rules_file import SHIPPED_RULES, load_rules

CARD = Path("docs/model-card.md")
BEGIN, END = "<!-- measured -->", "<!-- end of what was measured -->"

MODES = ("none", "first:50", "reviewed:20", "all")
ABLATED = {"none": 3, "all": 1}
"""Label mode -> forests that each part is left out of."""

NONE = "-"
"""Where there is no such figure."""

DELAY = timedelta(days=7)
TRAINING = timedelta(days=30), timedelta(days=75)
"""First and last training day, after the file's first day; the test begins once their labels are known."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `model-card`."""
    add_data(parser)
    parser.add_argument(
        "--card", type=Path, default=CARD, metavar="FILE", help="where the figures go (%(default)s)"
    )
    parser.add_argument(
        "--seeds", type=int, default=3, metavar="N", help="models for each label mode (%(default)s)"
    )
    parser.add_argument(
        "--modes", nargs="+", default=MODES, metavar="MODE", help="as evaluate's --labels, one or more"
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate each label mode, leave each part out, and replace what the card says was measured."""
    _around(args.card)
    file = csv_file(args.data, args)
    split, rules = _split(file), load_rules(SHIPPED_RULES)
    growths = [replace(Growth(), seed=Growth().seed + more) for more in range(max(1, args.seeds))]
    reports, ablations = [], {}
    for mode in args.modes:
        known = Known(label_mode(mode), DELAY)
        experiment, seconds = _prepared(file, split, known, rules)
        report, _ = judged(experiment, file, known, rules, growths, replay_seconds=seconds)
        reports.append(report)
        _say(f"{mode}: measured")
        if mode in ABLATED:
            modes = {seed.seed: seed.combiner for seed in report.seeds}
            ablations[mode] = _ablated(Ablation(experiment, rules, modes), growths[: ABLATED[mode]])
    measured = "\n".join([*_overview(reports, _perfect(experiment)), *_rules(reports[-1]), *_ablation(ablations)])
    before, after = _around(args.card)
    write_text(args.card, f"{before}{BEGIN}\n{measured}\n{END}{after}")
    print(f"{args.card}: figures of {len(reports)} label modes.")
    return 0


def _around(card: Path) -> tuple[str, str]:
    try:
        text = card.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{card} cannot be read: {error.strerror}. Give the card with --card.") from error
    if BEGIN not in text or END not in text:
        raise UserError(f"{card} has no lines {BEGIN} and {END}, between which the figures go. Add them.")
    return text.partition(BEGIN)[0], text.partition(END)[2]


def _split(file: CsvFile) -> Split:
    begin, _ = days_of(file)
    first, last = (begin + since for since in TRAINING)
    return Split(first, last, last + DELAY + timedelta(days=1))


def _prepared(file: CsvFile, split: Split, known: Known, rules: RuleSet) -> tuple[Experiment, float]:
    began = perf_counter()
    experiment = prepared(file, split, known, rules, Growth())
    check_window(experiment.window, Growth())
    check_test(experiment, file)
    return experiment, perf_counter() - began


def _ablated(ablation: Ablation, growths: Sequence[Growth]) -> dict[LeftOut, tuple[float, float]]:
    """Mean AUC and average precision without each part."""
    found, todo = {}, parts(ablation.rules)
    for part in tracked("leaving parts out", todo, len(todo)):
        rankings = [each for growth in growths if (each := ablation.ranking(part, growth))]
        auc = sum(each.auc for each in rankings) / len(rankings)
        found[part] = auc, sum(each.average_precision for each in rankings) / len(rankings)
    return found


def _perfect(experiment: Experiment) -> Ranking | None:
    """What a ranking of every fraud before every other transaction would reach."""
    return Scored(experiment.test, experiment.test.label, experiment.test.label).ranking()


def _overview(reports: Sequence[Report], perfect: Ranking | None) -> Iterator[str]:
    data, training, test = reports[0].data, reports[0].training, reports[0].test
    yield (
        f"`{data.name}` (SHA-256 {data.sha256[:12]}…): {data.transactions:,} transactions of {data.accounts:,} "
        f"accounts. Trained on {training.first} to {training.last} ({training.transactions:,} transactions, "
        f"{training.frauds:,} frauds), tested on {test.first} to {test.last} ({test.transactions:,} transactions, "
        f"{test.frauds:,} frauds)."
    )
    software = ", ".join(f"{name} {version}" for name, version in reports[0].software.items())
    yield f"Mean (lowest to highest) over {len(reports[0].seeds)} seeds; {software}.\n"
    header = (
        "labels", "known frauds", "combined by", "AUC", "AP", "recall at 0.5 %", "recall at 1 %", "CP@100", "HIGH",
        "fraud among HIGH", "MEDIUM or HIGH", "Brier", "mean risk",
    )  # fmt: skip
    yield from _table(header, [*map(_row, reports), *_best_row(perfect)])


def _row(report: Report) -> Sequence[str]:
    spread, figures = report.spread, report.figures
    if spread is None or figures is None:
        return (report.labels.mode, *["not known"] * 12)
    precision = spread["average_precision"]
    return (
        report.labels.mode,
        f"{report.labels.frauds}",
        ", ".join(sorted({seed.combiner for seed in report.seeds})),
        f"{spread['auc'].mean:.4f}",
        f"**{precision.mean:.3f}** ({precision.min:.3f} to {precision.max:.3f})",
        f"{spread['recall_at_0.005'].mean:.3f}",
        f"{spread['recall_at_0.01'].mean:.3f}",
        f"{spread['card_precision'].mean:.4f}",
        f"{figures.high.share:.2%}",
        f"{figures.high.precision:.0%}",
        f"{figures.medium.share:.2%}",
        f"{figures.brier:.4f}",
        f"{_mean_risk(figures):.2%}",
    )


def _mean_risk(figures: Figures) -> float:
    bins = figures.calibration
    return sum(each.mean_risk * each.transactions for each in bins) / sum(each.transactions for each in bins)


def _best_row(perfect: Ranking | None) -> Iterator[Sequence[str]]:
    if perfect:
        recall = {at.share: f"{at.recall:.3f}" for at in perfect.at}
        found = (recall[0.005], recall[0.01], f"{perfect.card_precision:.4f}")
        yield ("at best", "", "", f"{perfect.auc:.4f}", f"{perfect.average_precision:.3f}", *found, *[""] * 5)


def _rules(report: Report) -> Iterator[str]:
    yield "\nThe rules on the test days, each alone:\n"
    rules = report.figures.rules if report.figures else ()
    yield from _table(("rule", "hits", "frauds among them", "precision", "recall"), map(_rule, rules))


def _rule(rule: RuleRecord) -> Sequence[str]:
    precision = "" if rule.precision is None else f"{rule.precision:.3f}"
    return f"`{rule.code}`", f"{rule.hits:,}", f"{rule.frauds}", precision, f"{rule.recall:.3f}"


def _ablation(ablations: dict[str, dict[LeftOut, tuple[float, float]]]) -> Iterator[str]:
    if not ablations:
        return
    seeds = ", ".join(f"{mode}: {ABLATED[mode]}" for mode in ablations)
    yield f"\nWhat is lost without a part (negative: what is gained), mean of the first seeds ({seeds}):\n"
    header = [f"{figure} lost, {mode}" for mode in ablations for figure in ("AUC", "AP")]
    yield from _table(
        ("left out", *header),
        ((part.name, *_lost(part, ablations.values())) for part in next(iter(ablations.values()))),
    )


def _lost(part: LeftOut, ablations: Iterable[dict[LeftOut, tuple[float, float]]]) -> Iterator[str]:
    for found in ablations:
        whole = next(iter(found.values()))
        for before, now, places in zip(whole, found[part], (4, 3), strict=True):
            yield f"{before:.{places}f}" if found[part] is whole else f"{before - now:+.{places}f}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{' --- |' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(cell or NONE for cell in row)} |"


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
