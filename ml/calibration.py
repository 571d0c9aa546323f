"""Calibrates without labels: tails of the forest's anomaly, and thresholds that give the target alert rates."""

import numpy as np
from numpy.typing import NDArray

from ml.manifest import Band, Knots
from shared.command_line import UserError

HIGH_RATE, MEDIUM_RATE = 0.005, 0.02
LARGEST_RATE = 0.1
"""Above it the thresholds would lie among ordinary transactions."""

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


def band(risk: NDArray[np.float64], rate: float) -> Band:
    """The threshold that at most `rate` of these risks reach: where many are equal at it, none of them does.

    With fewer than `1 / rate` risks, or where all are equal and below 1, nothing reaches it.
    """
    ordered = np.sort(risk)
    allowed = int(len(ordered) * rate)
    first = int(np.searchsorted(ordered, ordered[len(ordered) - allowed - 1], side="right"))
    above = ordered[first] if first < len(ordered) else np.nextafter(ordered[-1], 1)
    return Band(threshold=float(above), target_rate=rate)


def rates(alerts_a_day: float | None, transactions_a_day: float) -> tuple[float, float]:
    """The shares of transactions to be HIGH, and MEDIUM or HIGH; from a budget of alerts a day where one is given.

    Raises UserError for a budget that is no share of the transactions.
    """
    if alerts_a_day is None:
        return HIGH_RATE, MEDIUM_RATE
    high = alerts_a_day / transactions_a_day
    if not 0 < high <= LARGEST_RATE:
        raise UserError(
            f"{alerts_a_day:g} alerts a day are {high:.1%} of {transactions_a_day:,.0f} transactions a day; give "
            f"a budget above 0 and of at most {LARGEST_RATE:.0%} of them."
        )
    return high, high * MEDIUM_RATE / HIGH_RATE
