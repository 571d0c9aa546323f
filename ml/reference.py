"""How features and risk were spread over the training window, and how far others are from that.

The distance is the population stability index, the sum over bins of (share - expected) * ln(share / expected).
Below 0.1 it is usually taken as stable, above 0.25 as a reason to look at the data and to train again.
"""

from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from ml.manifest import Manifest, checksum
from shared.domain.errors import ModelInvalid
from shared.domain.features import FEATURES

REFERENCE = "reference.json"
RISK = "risk"
MODERATE, LARGE = 0.1, 0.25

_DECILES = np.arange(1, 10) / 10
_SMALLEST_SHARE = 1e-4
"""Stands in for an empty bin, whose logarithm would be infinite."""


class Spread(BaseModel):
    """Bins up to each of the rising `edges`, one beyond them and one for absent values; the share of each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    edges: tuple[float, ...]
    shares: tuple[float, ...]

    @model_validator(mode="after")
    def _has_a_share_for_each_bin(self) -> Self:
        if len(self.shares) != len(self.edges) + 2:
            raise ValueError("there must be a share for each bin")
        return self

    @property
    def is_of_nothing(self) -> bool:
        """Whether all values were absent, so that nothing can be compared with them."""
        return self.shares[-1] == 1


class Reference(BaseModel):
    """reference.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: dict[str, Spread]
    risk: Spread

    @model_validator(mode="after")
    def _has_every_feature(self) -> Self:
        if self.features.keys() != FEATURES.keys():
            raise ValueError("it is of other features than this version computes")
        return self


def reference_of(features: NDArray[np.float64], risk: NDArray[np.float64]) -> Reference:
    """Of a training window's features (N, F) and risks (N,)."""
    columns = zip(FEATURES, features.T, strict=True)
    return Reference(features={name: spread_of(column) for name, column in columns}, risk=spread_of(risk))


def spread_of(values: NDArray[np.float64]) -> Spread:
    """The values (N,) in bins between their deciles; NaN is absent."""
    known = values[~np.isnan(values)]
    edges = tuple(np.unique(np.quantile(known, _DECILES)).tolist()) if len(known) else ()
    return Spread(edges=edges, shares=tuple((counted(values, edges) / len(values)).tolist()))


def counted(values: NDArray[np.float64], edges: tuple[float, ...]) -> NDArray[np.int64]:
    """How many of the values (N,) each bin of these edges holds."""
    absent = np.isnan(values)
    bins = np.where(absent, len(edges) + 1, np.searchsorted(np.array(edges), values))
    return np.bincount(bins, minlength=len(edges) + 2)


def stability_index(expected: Spread, counts: NDArray[np.int64]) -> float:
    """The population stability index of so many values in each bin; 0 where there are none."""
    if not counts.sum():
        return 0.0
    before = np.maximum(expected.shares, _SMALLEST_SHARE)
    now = np.maximum(counts / counts.sum(), _SMALLEST_SHARE)
    return float(np.sum((now - before) * np.log(now / before)))


class Counts:
    """Transactions counted in the bins of a model's training window, by feature and for the risk."""

    def __init__(self, reference: Reference) -> None:
        self.expected = {name: reference.features[name] for name in FEATURES} | {RISK: reference.risk}
        self.transactions = 0
        self._bins = {name: np.zeros(len(spread.shares), np.int64) for name, spread in self.expected.items()}

    def add(self, rows: ArrayLike, risks: ArrayLike) -> None:
        """Count these features (N, F) and risks (N,)."""
        values = np.column_stack([np.asarray(rows, np.float64), np.asarray(risks, np.float64)])
        self.transactions += len(values)
        for (name, spread), column in zip(self.expected.items(), values.T, strict=True):
            self._bins[name] += counted(column, spread.edges)

    def include(self, other: "Counts") -> None:
        """Count what another counted against the same reference."""
        self.transactions += other.transactions
        for name, bins in other._bins.items():
            self._bins[name] += bins

    def indices(self) -> dict[str, float]:
        """The population stability index of each feature and of the risk, the largest first."""
        found = {name: stability_index(spread, self._bins[name]) for name, spread in self.expected.items()}
        return dict(sorted(found.items(), key=lambda each: -each[1]))


def read_reference(folder: Path, manifest: Manifest) -> Reference:
    """The reference of a model folder; raises ModelInvalid where it lacks one or has been altered."""
    if REFERENCE not in manifest.sha256:
        raise ModelInvalid(
            f"{manifest.model_version} was trained before {REFERENCE} was kept: train it anew, then ask for drift."
        )
    try:
        content = (folder / REFERENCE).read_bytes()
        if checksum(content) != manifest.sha256[REFERENCE]:
            raise ValueError("its manifest names another")
        return Reference.model_validate_json(content)
    except (OSError, ValueError, ValidationError) as error:
        raise ModelInvalid(
            f"{folder / REFERENCE} is of no use ({error}). Take a fresh copy of the model."
        ) from error
