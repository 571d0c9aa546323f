"""Calibrates without labels: tails of the forest's anomaly, and thresholds that give the target alert rates."""

import numpy as np
from numpy.typing import NDArray

from ml.manifest import Band, Knots
from shared.domain.risk import Calibration, combined, evidence

TAILS = (0.75, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001)
FEWEST_BEYOND = 5
"""A tail is taken from the training window only where at least this many transactions lie beyond it."""

RAREST = 1e-9
"""The tail given to anomaly 1, which no transaction reaches: ranks stay strict beyond the training window."""


def knots(anomalies: NDArray[np.float64]) -> Knots:
    """Where the training window's anomalies (N,) exceed each of TAILS."""
    known = [tail for tail in TAILS if tail * len(anomalies) >= FEWEST_BEYOND]
    found = dict.fromkeys([0.0], 1.0)
    for tail in known:
        anomaly = round(float(np.quantile(anomalies, 1 - tail)), 9)
        if anomaly not in found:
            found[anomaly] = tail
    return Knots(anomalies=(*found, 1.0), tails=(*found.values(), RAREST))


def risks(
    calibration: Calibration, anomalies: NDArray[np.float64], rule_weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The risk of each transaction, by the scorer's own formula."""
    pairs = zip(anomalies.tolist(), rule_weight.tolist(), strict=True)
    return np.array([combined(evidence(calibration.tail(anomaly)), (weight,)) for anomaly, weight in pairs])


def band(risk: NDArray[np.float64], rate: float) -> Band:
    """The threshold that at most `rate` of these risks reach."""
    return Band(threshold=float(np.quantile(risk, 1 - rate, method="higher")), target_rate=rate)
