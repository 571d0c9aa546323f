"""An evaluation's report as one page that needs nothing else: what was found, in words, tables and pictures."""

from collections.abc import Iterable, Sequence
from html import escape

from ml.metrics import Alerting, AtShare
from ml.pictures import Axis, curve
from ml.results import Figures, Report

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1d2733; max-width: 60rem; margin: auto; padding: 1rem }
h1, h2 { line-height: 1.2 } h2 { margin-top: 2.5rem }
table { border-collapse: collapse; margin: 1rem 0 }
td, th { padding: .3rem .8rem; border-bottom: 1px solid #d6dde5 }
td { text-align: right; font-variant-numeric: tabular-nums } th, td:first-child { text-align: left }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1.5rem }
figure { margin: 0 } figcaption { font-size: .9rem; color: #4a5968 }
svg { width: 100% } svg text { font-size: 11px }
.grid { stroke: #e3e8ee } .curve { fill: none; stroke: #1668b8; stroke-width: 2 } .dot { fill: #1668b8 }
.reference { fill: none; stroke: #8a97a6; stroke-dasharray: 5 4 }
.note { background: #fff6df; padding: .8rem 1rem }
"""

Cells = Sequence[str]


def as_html(report: Report) -> str:
    """The page."""
    title = f"Fraud detection on {escape(report.data.name)}"
    body = "".join([f"<h1>{title}</h1>", *_beginning(report), *_findings(report), *_facts(report)])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def _beginning(report: Report) -> Iterable[str]:
    training, test, labels = report.training, report.test, report.labels
    yield _paragraph(
        f"The model learned from {training.transactions:,} transactions of {training.first} to {training.last}, "
        f"knowing the labels of {labels.known:,} of them ({labels.frauds:,} frauds). It then met the "
        f"{test.transactions:,} transactions of {test.first} to {test.last} one after the other, as the service "
        f"would have: {test.frauds:,} of them are fraud."
    )
    yield f'<p class="note">{escape(report.note)}</p>'


def _findings(report: Report) -> Iterable[str]:
    figures = report.figures
    if figures is None:
        yield _paragraph("There are no figures: the file has no labels for the test days.")
        return
    yield "<h2>What a team would find</h2>"
    yield from map(_workload, figures.ranking.at)
    yield _table(
        ("Label", "Target", "Transactions", "Of them fraud", "Frauds found", "Their value found"),
        [_band("HIGH", figures.high), _band("MEDIUM or HIGH", figures.medium)],
    )
    yield f'<h2>Curves</h2><div class="pictures">{"".join(_pictures(figures, report))}</div>'
    yield "<h2>Rules</h2>"
    yield _table(
        ("Rule", "Hits", "Frauds", "Precision", "Frauds found"),
        [
            (rule.code, f"{rule.hits:,}", f"{rule.frauds:,}", _percent(rule.precision), _percent(rule.recall))
            for rule in figures.rules
        ],
    )


def _workload(at: AtShare) -> str:
    return _paragraph(
        f"Of the {at.share:.1%} riskiest transactions ({at.transactions:,}), {at.precision:.0%} are fraud. "
        f"They are {at.recall:.0%} of all frauds and {at.value_caught:.0%} of the money in them."
    )


def _band(name: str, alerting: Alerting) -> Cells:
    return (
        name,
        _percent(alerting.target_rate),
        _percent(alerting.share),
        _percent(alerting.precision),
        _percent(alerting.recall),
        _percent(alerting.value_caught),
    )


def _pictures(figures: Figures, report: Report) -> Iterable[str]:
    curves, fraud = figures.curves, report.test.frauds / report.test.labelled
    few = Axis("riskiest transactions looked at", 0.05)
    found, precision = Axis("frauds found"), Axis("precision")
    ideal = ((0.0, 0.0), (min(fraud, few.end), min(1.0, few.end / fraud)), (few.end, min(1.0, few.end / fraud)))
    yield _figure(
        curve(curves.recall_at_share, few, found, reference=ideal),
        "Work against catch; dashed: the best possible.",
    )
    yield _figure(
        curve(curves.precision_recall, found, precision, reference=((0, fraud), (1, fraud))),
        f"Precision and recall. Average precision {figures.ranking.average_precision:.3f}; dashed: by chance.",
    )
    yield _figure(
        curve(curves.roc, Axis("false alarms"), found, reference=((0, 0), (1, 1))),
        f"Receiver operating characteristic. AUC {figures.ranking.auc:.4f}; dashed: by chance.",
    )
    bins = [(each.mean_risk, each.fraud_share) for each in figures.calibration]
    yield _figure(
        curve(bins, Axis("mean risk"), Axis("share of fraud"), reference=((0, 0), (1, 1)), dots=True),
        f"Calibration: on the dashed line risk is the probability of fraud. Brier score {figures.brier:.4f}. "
        "Without labels risk only ranks.",
    )


def _facts(report: Report) -> Iterable[str]:
    data = report.data
    yield "<h2>How it was measured</h2>"
    if report.spread:
        rows = [(name, *(f"{x:.4f}" for x in (s.mean, s.min, s.max))) for name, s in report.spread.items()]
        yield _table((f"Over {len(report.seeds)} seeds", "Mean", "Lowest", "Highest"), rows)
    facts = {
        "Data": f"{data.name}: {data.transactions:,} transactions of {data.accounts:,} accounts",
        "SHA-256": data.sha256,
        "Labels": f"{report.labels.mode}, known after {report.labels.delay_days} days",
        "Combined by": ", ".join(sorted({seed.combiner for seed in report.seeds})),
        "Forest": f"{report.trees} trees of {report.max_samples} transactions",
        "Software": ", ".join(f"{name} {version}" for name, version in report.software.items()),
    }
    yield _table((), list(facts.items()))


def _figure(picture: str, caption: str) -> str:
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _table(header: Cells, rows: Iterable[Cells]) -> str:
    head = f"<tr>{''.join(f'<th>{escape(cell)}</th>' for cell in header)}</tr>" if header else ""
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{head}{body}</table>"


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{share:.2%}"
