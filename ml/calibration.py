"""Calibrates without labels: tails of the forest's anomaly, and thresholds that give the target alert rates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.manifest import Band, Knots
from shared.command_line import UserError

LARGEST_HIGH, LARGEST_MEDIUM = 0.1, 0.4
"""Shares above which the thresholds would lie among ordinary transactions."""

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


@dataclass(frozen=True, slots=True)
class Targets:
    """Shares of the transactions that are to be HIGH, and MEDIUM or HIGH.

    A budget of alerts a day takes the place of the first; the second then keeps its proportion to it. Raises
    UserError for shares that are none.
    """

    high: float = 0.005
    medium: float = 0.02
    alerts_a_day: float | None = None

    def __post_init__(self) -> None:
        if not (0 < self.high <= LARGEST_HIGH and self.high <= self.medium <= LARGEST_MEDIUM):
            raise UserError(
                f"{self.high:g} HIGH and {self.medium:g} MEDIUM or HIGH are no shares to aim at: give --high-rate "
                f"above 0 and at most {LARGEST_HIGH:g}, and --medium-rate from there to {LARGEST_MEDIUM:g}."
            )

    def rates(self, transactions_a_day: float) -> tuple[float, float]:
        """The two shares at so many transactions a day; raises UserError for a budget that is no share of them."""
        if self.alerts_a_day is None:
            return self.high, self.medium
        high = self.alerts_a_day / transactions_a_day
        if not 0 < high <= LARGEST_HIGH:
            raise UserError(
                f"{self.alerts_a_day:g} alerts a day are {high:.1%} of {transactions_a_day:,.0f} transactions a "
                f"day; give a budget above 0 and of at most {LARGEST_HIGH:.0%} of them."
            )
        return high, high * self.medium / self.high
