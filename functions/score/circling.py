"""Keeps envelopes that are put back again and again from circling at full speed, in bounded memory."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from hashlib import sha256
from threading import Lock

ROUND = timedelta(seconds=5)
MOST_REMEMBERED = 10_000


class Circling:
    """When each envelope was put back, for as long as a round should take. Safe for threads."""

    def __init__(
        self,
        least_round: timedelta = ROUND,
        most: int = MOST_REMEMBERED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._round = least_round.total_seconds()
        self._most = most
        self._clock = clock
        self._turn = Lock()
        self._put_back_at: dict[bytes, float] = {}  # oldest first

    def too_early(self, envelopes: Sequence[bytes]) -> float:
        """Seconds until none of these was put back less than a round ago; 0 for those never seen.

        Where memory is full those never seen wait too, until there is a place.
        """
        with self._turn:
            self._forget()
            times = [at for each in envelopes if (at := self._put_back_at.get(_digest(each))) is not None]
            if len(self._put_back_at) >= self._most:
                times.append(next(iter(self._put_back_at.values())))
            return max([0.0, *(at + self._round - self._clock() for at in times)])

    def put_back(self, envelopes: Sequence[bytes]) -> None:
        """Note that these were put back now."""
        with self._turn:
            for each in envelopes:
                self._put_back_at.pop(digest := _digest(each), None)
                self._put_back_at[digest] = self._clock()

    def _forget(self) -> None:
        """What a round has passed for."""
        before = self._clock() - self._round
        while self._put_back_at and (oldest := next(iter(self._put_back_at.items())))[1] <= before:
            del self._put_back_at[oldest[0]]


def _digest(envelope: bytes) -> bytes:
    return sha256(envelope).digest()
