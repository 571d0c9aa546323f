"""Waiting, inside the invocation, for a service that is away."""

import random
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from shared.domain.errors import DatabaseUnavailable, HistoryUnavailable
from shared.telemetry import metrics
from shared.telemetry.availability import Availability

FIRST_WAIT = timedelta(milliseconds=200)
LONGEST_WAIT = timedelta(seconds=10)

T = TypeVar("T")


def next_wait(failures: int, *, left: timedelta, jitter: float) -> timedelta | None:
    """How long to wait after so many failures in a row, or None where nothing is left of the budget.

    Doubles from FIRST_WAIT to LONGEST_WAIT; `jitter` in [0, 1] takes up to half off, so that scorers spread out.
    """
    if left <= timedelta(0):
        return None
    doubled: timedelta = FIRST_WAIT * 2 ** min(failures - 1, 16)
    return min(min(doubled, LONGEST_WAIT) * (1 - jitter / 2), left)


class Patience:
    """The waits of one invocation, which share one budget.

    `services` is what is known of each service by its name, kept between invocations so that an outage is logged
    once however many of them it lasts.
    """

    def __init__(
        self,
        budget: timedelta,
        services: dict[str, Availability] | None = None,
        *,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._deadline = clock() + budget.total_seconds()
        self._services = {} if services is None else services
        self._sleep = sleep
        self._clock = clock
        self._jitter = jitter

    def wait_for(self, service: str, call: Callable[[], T]) -> T:
        """The call's result, tried again while a service it needs is away: `service`, or another for some calls.

        Raises HistoryUnavailable or DatabaseUnavailable once the budget is used up; other errors at once.
        """
        needed, failures = {service}, 0
        while True:
            try:
                result = call()
            except (HistoryUnavailable, DatabaseUnavailable) as error:
                failures += 1
                needed.add(failed := "postgres" if isinstance(error, DatabaseUnavailable) else "redis")
                self._availability(failed).failed(error)
                wait = next_wait(failures, left=self._left(), jitter=self._jitter())
                if wait is None:
                    raise
                metrics.count(metrics.RETRIES, service=failed)
                self._sleep(wait.total_seconds())
            else:
                for each in needed:
                    self._availability(each).answered()
                return result

    def _availability(self, service: str) -> Availability:
        return self._services.setdefault(service, Availability(service))

    def _left(self) -> timedelta:
        return timedelta(seconds=self._deadline - self._clock())
