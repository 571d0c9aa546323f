"""How well risks rank labelled transactions."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from ml.dataset import Dataset
from ml.manifest import Metrics


def evaluated(dataset: Dataset, risk: NDArray[np.float64], high: float) -> Metrics | None:
    """Metrics over the labelled transactions; None where they are not of both classes."""
    labelled = ~np.isnan(dataset.label)
    label, risk, day = dataset.label[labelled], risk[labelled], dataset.day[labelled]
    if len(np.unique(label)) < 2:
        return None
    reached = risk >= high
    return Metrics(
        first=day[0].item(),
        last=day[-1].item(),
        transactions=len(label),
        frauds=int(label.sum()),
        auc=float(roc_auc_score(label, risk)),
        average_precision=float(average_precision_score(label, risk)),
        recall_at_half_percent=recall_at(label, risk, 0.005),
        recall_at_one_percent=recall_at(label, risk, 0.01),
        high_share=float(reached.mean()),
        high_precision=float(label[reached].mean()) if reached.any() else 0.0,
    )


def recall_at(label: NDArray[np.float64], risk: NDArray[np.float64], share: float) -> float:
    """The share of frauds (label 1) among the `share` riskiest transactions; equal risks keep their order."""
    riskiest = np.argsort(-risk, kind="stable")[: int(len(risk) * share)]
    return float(label[riskiest].sum() / label.sum())
