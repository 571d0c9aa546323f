"""How features and risk were spread over the training window, and how far others are from that.

The distance is the population stability index, the sum over bins of (share - expected) * ln(share / expected).
Below 0.1 it is usually taken as stable, above 0.25 as a reason to look at the data and to train again.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from ml.manifest import Manifest, checksum
from shared.domain.errors import ModelInvalid
from shared.domain.features import FEATURES

REFERENCE = "reference.json"
MODERATE, LARGE = 0.1, 0.25

_DECILES = np.arange(1, 10) / 10
_SMALLEST_SHARE = 1e-4
"""Stands in for an empty bin, whose logarithm would be infinite."""


class Spread(BaseModel):
    """Bins up to each of the rising `edges`, one beyond them and one for absent values; the share of each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    edges: tuple[float, ...]
    shares: tuple[float, ...]


class Reference(BaseModel):
    """reference.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: dict[str, Spread]
    risk: Spread


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
