"""`sample-traffic`: post seeded sample traffic to ingest until stopped."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx

from local.replay_answers import Answer, read_answers
from local.sample_story import Due, story
from local.stopping import stopping_on_signals
from shared.settings import load_settings

REQUEST_SECONDS = 3
GATHERED_SECONDS = 0.1
MOST_AT_ONCE = 500
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 5.0
LATE_SECONDS = 2.0
"""Later than this the story's clock is set back: an outage is followed by ordinary traffic, not by a burst."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare where to, how fast and how long."""
    parser.add_argument("--url", help="where ingest answers (default: this machine's)")
    parser.add_argument(
        "--rate", type=_positive, default=20.0, metavar="N", help="payments a second (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=7, help="another seed tells another story (%(default)s)")
    parser.add_argument("--seconds", type=_positive, metavar="N", help="stop after so long (default: never)")


def run(args: argparse.Namespace) -> int:
    """Post until told to stop; the last line says how many payments were accepted and refused."""
    url = args.url or f"http://127.0.0.1:{load_settings().ingest_port}"
    run_id = f"{time.time_ns() // 1_000_000:x}"
    with stopping_on_signals() as stopping, httpx.Client(base_url=url, timeout=REQUEST_SECONDS) as client:
        print(f"Posting {args.rate:g} sample payments a second to {url}; Ctrl-C stops.", flush=True)
        traffic = Traffic(client, stopping, run_id)
        traffic.post(story(args.seed, args.rate, run_id), args.seconds)
    print(f"{traffic.accepted} sample payments accepted, {sum(traffic.refused.values())} refused.", flush=True)
    return 0


def gathered(payments: Iterable[Due]) -> Iterator[list[Due]]:
    """Payments due within the same moment (GATHERED_SECONDS) together, at most MOST_AT_ONCE."""
    together: list[Due] = []
    for payment in payments:
        if together and (payment.due - together[0].due >= GATHERED_SECONDS or len(together) == MOST_AT_ONCE):
            yield together
            together = []
        together.append(payment)
    if together:
        yield together


class Stopping(Protocol):
    """Such as threading.Event."""

    def wait(self, timeout: float) -> bool:
        """Sleep so many seconds, or until told to stop: then True."""


class Traffic:
    """Posts payments when they are due; waits while ingest is away, leaves an account alone that is limited."""

    def __init__(
        self,
        client: httpx.Client,
        stopping: Stopping,
        run_id: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._stopping, self._run_id, self._clock = client, stopping, run_id, clock
        self._number = 0
        self._resting: dict[str, float] = {}
        self.accepted = 0
        self.refused: Counter[int] = Counter()

    def post(self, payments: Iterable[Due], seconds: float | None = None) -> None:
        """Post until the payments end, `seconds` are over, or stopping is set."""
        start = self._clock()
        for together in gathered(payments):
            due = together[0].due
            if (seconds is not None and due >= seconds) or self._stops_within(start + due - self._clock()):
                return
            self._deliver([self._posted(payment) for payment in together if self._is_free(payment)])
            late = self._clock() - start - due
            start += late if late > LATE_SECONDS else 0

    def _stops_within(self, seconds: float) -> bool:
        return self._stopping.wait(max(0.0, seconds))

    def _is_free(self, payment: Due) -> bool:
        return self._resting.get(payment.who.account_id, 0.0) <= self._clock()

    def _posted(self, payment: Due) -> dict[str, Any]:
        self._number += 1
        return payment.posted(f"sample-{self._run_id}-{self._number}", datetime.now(UTC))

    def _deliver(self, waiting: list[dict[str, Any]]) -> None:
        """Send until each payment is accepted or refused; the same id again is harmless."""
        pause = FIRST_PAUSE_SECONDS
        while waiting:
            answers = self._send(waiting)
            again = [pair for pair in zip(waiting, answers, strict=True) if pair[1].unknown]
            self._settle(waiting, answers)
            waiting = [payment for payment, _ in again]
            longest = max((answer.retry_after for _, answer in again), default=0.0)
            if waiting and self._stops_within(max(pause, longest)):
                return
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _send(self, waiting: list[dict[str, Any]]) -> list[Answer]:
        try:
            response = self._client.post("/transactions/batch", json={"transactions": waiting})
        except httpx.TransportError as error:
            return [Answer(503, f"Ingest cannot be reached ({type(error).__name__}).")] * len(waiting)
        return read_answers(response, len(waiting))

    def _settle(self, payments: list[dict[str, Any]], answers: list[Answer]) -> None:
        for payment, answer in zip(payments, answers, strict=True):
            if answer.accepted:
                self.accepted += 1
            elif answer.limited:
                self._resting[payment["account_id"]] = self._clock() + answer.retry_after
                self.refused[answer.status] += 1
            elif not answer.unknown:
                self._tell_once(answer)
                self.refused[answer.status] += 1

    def _tell_once(self, answer: Answer) -> None:
        if not self.refused[answer.status]:
            print(
                f"Ingest refused a sample payment ({answer.status}): {answer.detail}", file=sys.stderr, flush=True
            )


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and below a million")
    return number
