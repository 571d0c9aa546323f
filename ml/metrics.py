"""How well risks rank labelled transactions, and what the rules and the thresholds would have caught."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from ml.dataset import Dataset
from ml.labels import riskiest_cards

SHARES = (0.001, 0.005, 0.01)
CARDS_A_DAY = 100
BINS = 10
POINTS = 200
"""Points of a curve that a picture needs."""

Floats = NDArray[np.float64]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class AtShare(_Part):
    """The `share` riskiest transactions: frauds among them, of all frauds, and the part of the frauds' value."""

    share: float
    transactions: int
    precision: float
    recall: float
    value_caught: float


class Ranking(_Part):
    """Ranked by risk. `card_precision` is CP@100: see `card_precision`."""

    auc: float
    average_precision: float
    card_precision: float
    at: tuple[AtShare, ...]


class Alerting(_Part):
    """What reaches a threshold: share of all, frauds among it and of all frauds, part of the frauds' value."""

    threshold: float
    target_rate: float
    share: float
    precision: float
    recall: float
    value_caught: float


class RuleRecord(_Part):
    """One rule's hits; precision is None where it never fired."""

    code: str
    hits: int
    frauds: int
    precision: float | None
    recall: float


class Bin(_Part):
    """Transactions whose risk lies in [low, high): mean risk and share of fraud."""

    low: float
    high: float
    transactions: int
    mean_risk: float
    fraud_share: float


class Curves(_Part):
    """Points (x, y): receiver operating characteristic, precision over recall, recall over share reviewed."""

    roc: tuple[tuple[float, float], ...]
    precision_recall: tuple[tuple[float, float], ...]
    recall_at_share: tuple[tuple[float, float], ...]


def ranking(dataset: Dataset, risk: Floats) -> Ranking:
    """Of labelled transactions of both classes."""
    return Ranking(
        auc=float(roc_auc_score(dataset.label, risk)),
        average_precision=float(average_precision_score(dataset.label, risk)),
        card_precision=card_precision(dataset, risk),
        at=tuple(at_share(dataset, risk, share) for share in SHARES),
    )


def at_share(dataset: Dataset, risk: Floats, share: float) -> AtShare:
    """Equal risks keep their order in time."""
    count = int(len(risk) * share)
    chosen = np.zeros(len(risk), dtype=np.bool_)
    chosen[np.argsort(-risk, kind="stable")[:count]] = True
    precision, recall, value = _caught(dataset, chosen)
    return AtShare(share=share, transactions=count, precision=precision, recall=recall, value_caught=value)


def alerting(dataset: Dataset, risk: Floats, threshold: float, target_rate: float) -> Alerting:
    """What the threshold catches of labelled transactions."""
    reached = risk >= threshold
    precision, recall, value = _caught(dataset, reached)
    return Alerting(
        threshold=threshold,
        target_rate=target_rate,
        share=float(reached.mean()),
        precision=precision,
        recall=recall,
        value_caught=value,
    )


def card_precision(dataset: Dataset, risk: Floats, cards: int = CARDS_A_DAY) -> float:
    """Each day the cards are ranked by their highest risk; the mean share of fraud among the `cards` riskiest.

    A card counts as fraudulent on a day on which one of its transactions is; once caught, it is not ranked again
    (Le Borgne et al., Reproducible Machine Learning for Credit Card Fraud Detection, 2022).
    """
    caught: NDArray[np.int64] = np.array([], dtype=np.int64)
    shares = []
    for day in np.unique(dataset.day):
        today = (dataset.day == day) & ~np.isin(dataset.account, caught)
        looked_at = riskiest_cards(dataset.account[today], risk[today])[:cards]
        found = np.intersect1d(looked_at, dataset.account[today & (dataset.label == 1)])
        caught = np.concatenate([caught, found])
        shares.append(len(found) / max(1, len(looked_at)))
    return float(np.mean(shares))


def rule_records(dataset: Dataset, codes: Sequence[str]) -> tuple[RuleRecord, ...]:
    """What each rule, one per column of `hits`, hit among labelled transactions."""
    return tuple(_rule_record(dataset.label, hits, code) for code, hits in zip(codes, dataset.hits.T, strict=True))


def _rule_record(label: Floats, hits: NDArray[np.bool_], code: str) -> RuleRecord:
    count, frauds = int(hits.sum()), int(label[hits].sum())
    precision = frauds / count if count else None
    return RuleRecord(code=code, hits=count, frauds=frauds, precision=precision, recall=frauds / label.sum())


def calibration(label: Floats, risk: Floats) -> tuple[Bin, ...]:
    """Bins of equal width in risk; empty ones are left out."""
    edges = np.linspace(0, 1, BINS + 1)
    at = np.minimum(np.digitize(risk, edges) - 1, BINS - 1)
    return tuple(
        Bin(
            low=float(edges[each]),
            high=float(edges[each + 1]),
            transactions=int((at == each).sum()),
            mean_risk=float(risk[at == each].mean()),
            fraud_share=float(label[at == each].mean()),
        )
        for each in np.unique(at)
    )


def brier(label: Floats, risk: Floats) -> float:
    """The mean squared distance of risk and label: 0 is perfect."""
    return float(np.mean((risk - label) ** 2))


def curves(label: Floats, risk: Floats) -> Curves:
    """At most POINTS points of each curve."""
    false_alarms, found, _ = roc_curve(label, risk)
    precision, recall, _ = precision_recall_curve(label, risk)
    caught = np.cumsum(label[np.argsort(-risk, kind="stable")]) / label.sum()
    shares = np.arange(1, len(label) + 1) / len(label)
    few = shares <= 0.05
    return Curves(
        roc=_points(false_alarms, found),
        precision_recall=_points(recall[::-1], precision[::-1]),
        recall_at_share=_points(shares[few], caught[few]),
    )


def _points(x: Floats, y: Floats) -> tuple[tuple[float, float], ...]:
    """Half of them even along the curve, half along x, which rises: steep and flat parts keep their shape."""
    along_curve = np.linspace(0, len(x) - 1, POINTS // 2).astype(int)
    along_x = np.searchsorted(x, np.linspace(x[0], x[-1], POINTS // 2))
    at = np.unique(np.concatenate([along_curve, along_x]))
    return tuple(zip(x[at].round(5).tolist(), y[at].round(5).tolist(), strict=True))


def _caught(dataset: Dataset, chosen: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Precision, recall, and recall in value, of the chosen transactions."""
    fraud = dataset.label == 1
    both, value = chosen & fraud, dataset.dollars
    precision = float(fraud[chosen].mean()) if chosen.any() else 0.0
    return precision, float(both.sum() / fraud.sum()), float(value[both].sum() / value[fraud].sum())
