"""A day of payments, second by second: a quiet night, salaries, an attack. Made up, and the same for a seed."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from shared.messages.envelope import MAX_ITEMS

SECONDS = int(timedelta(days=1).total_seconds())
PUBLISH_SECONDS = 0.003
"""A confirmed publish takes that long; requests that come meanwhile leave together in the next envelope."""

Series = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Part:
    """What goes on between two hours, and how many payments a second it brings at its height."""

    name: str
    begin: float
    end: float
    payments: float
    batched: bool = False


NIGHT = 0.004
"""Payments a second at night: one in four minutes."""
PARTS = (
    Part("day", 6.0, 22.0, 60.0),
    Part("salaries, in batches", 8.0, 8.25, 2_500.0, batched=True),
    Part("salaries are spent", 11.0, 14.0, 240.0),
    Part("attack", 19.0, 19.5, 1_500.0),
)


@dataclass(frozen=True, slots=True)
class Traffic:
    """For each second: payments, and how many of them travel in an envelope."""

    payments: Series
    size: Series

    @property
    def envelopes(self) -> Series:
        """Envelopes for each second."""
        return self.payments / self.size


def day(seed: int, scale: float = 1.0) -> Traffic:
    """The day of a seed; `scale` multiplies all but the night."""
    chance, second = np.random.default_rng(seed), np.arange(SECONDS)
    single = chance.poisson(NIGHT + scale * sum(_course(part, second) for part in PARTS if not part.batched))
    batched = chance.poisson(scale * sum(_course(part, second) for part in PARTS if part.batched))
    payments = (single + batched).astype(float)
    together = np.clip(single * PUBLISH_SECONDS, 1, MAX_ITEMS)
    envelopes = np.ceil(single / together) + np.ceil(batched / MAX_ITEMS)
    return Traffic(payments, np.divide(payments, envelopes, out=np.ones(SECONDS), where=envelopes > 0))


def _course(part: Part, second: NDArray[np.int_]) -> Series:
    """Payments a second: a swell over the part's hours, level where it comes from a machine."""
    share = (second / 3600 - part.begin) / (part.end - part.begin)
    inside = (share >= 0) & (share < 1)
    level = part.batched or part.name == "attack"
    return np.where(inside, part.payments * (1.0 if level else np.sin(np.pi * np.clip(share, 0, 1))), 0.0)
