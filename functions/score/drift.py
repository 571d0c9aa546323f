"""How far what is scored has moved from the training window of the champion."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

from ml.manifest import read_manifest
from ml.reference import Counts, Reference, read_reference
from shared.domain.errors import ModelInvalid
from shared.domain.scoring import Row
from shared.telemetry.logs import Event, log

logger = logging.getLogger(__name__)

FEWEST = 1000
"""Transactions below which an index would be chance more than drift."""

HOURS = 24
"""The window: a shorter one would find that it is not always noon."""

TOGETHER = 1000
"""Transactions are counted so many at a time, which costs a fraction of counting each batch."""


class Drift:
    """What the champion scored in the last 24 hours, against its training window. Safe for threads.

    There is nothing to tell of a model without a reference, of fewer than FEWEST transactions, and of a feature
    that was absent from the training window.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` in seconds."""
        self._clock = clock
        self._turn = Lock()
        self._reference: Reference | None = None
        self._hours: deque[tuple[int, Counts]] = deque()
        self._rows: list[Row] = []
        self._risks: list[float] = []

    def follow(self, folder: Path) -> None:
        """Start anew with the model of this folder."""
        reference = _reference_of(folder)
        with self._turn:
            self._reference = reference
            self._hours.clear()
            self._rows, self._risks = [], []

    def add(self, rows: Sequence[Row], risks: Sequence[float]) -> None:
        """Count these features and risks (a Watch); usually they are only put aside."""
        with self._turn:
            self._rows += rows
            self._risks += risks
            if len(self._rows) >= TOGETHER:
                self._count()

    def indices(self) -> dict[str, float]:
        """The population stability index of each feature and of the risk, as far as there is one to tell."""
        with self._turn:
            self._count()
            self._forget()
            return self._of_window(self._reference) if self._reference else {}

    def _count(self) -> None:
        if self._reference and self._rows:
            self._of_this_hour(self._reference).add(self._rows, self._risks)
        self._rows, self._risks = [], []

    def _of_this_hour(self, reference: Reference) -> Counts:
        hour = self._now()
        if not self._hours or self._hours[-1][0] != hour:
            self._hours.append((hour, Counts(reference)))
        return self._hours[-1][1]

    def _forget(self) -> None:
        while self._hours and self._hours[0][0] <= self._now() - HOURS:
            self._hours.popleft()

    def _of_window(self, reference: Reference) -> dict[str, float]:
        window = Counts(reference)
        for _, counts in self._hours:
            window.include(counts)
        if window.transactions < FEWEST:
            return {}
        return {name: each for name, each in window.indices().items() if not window.expected[name].is_of_nothing}

    def _now(self) -> int:
        return int(self._clock() // 3600)


def _reference_of(folder: Path) -> Reference | None:
    try:
        return read_reference(folder, read_manifest(folder))
    except ModelInvalid as error:
        log(logger, logging.WARNING, Event.DRIFT_UNKNOWN, str(error))
        return None
