"""Ingest's answers to a batch, row by row, and how long a refused row is worth another try."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

ROUNDING_SECONDS = 1.0
"""Retry-After is in whole seconds, rounded up: a client may be told to wait this much longer than it must."""

_ANY_ACCOUNT = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Ingest's answer for one row: 202, or its problem's status, sentence and seconds to wait."""

    status: int
    detail: str = ""
    retry_after: float = 0.0

    @property
    def accepted(self) -> bool:
        """Whether the row is queued."""
        return self.status == 202

    @property
    def limited(self) -> bool:
        """Whether the account posts too fast."""
        return self.status == 429

    @property
    def unknown(self) -> bool:
        """Whether the row may or may not be queued; the same again is harmless. Proxies say 502 and 504."""
        return self.status >= 500


def read_answers(response: httpx.Response, count: int) -> list[Answer]:
    """One answer for each of `count` rows; a row that a batch result leaves out counts as 503 (unknown)."""
    document = _document(response)
    if response.status_code != 200:
        header = response.headers.get("retry-after")
        return [_problem({"status": response.status_code, "retry_after": header} | document)] * count
    by_index = {result["index"]: result for result in document.get("results", ())}
    return [_result(by_index.get(index)) for index in range(count)]


def _document(response: httpx.Response) -> dict[str, Any]:
    try:
        document = response.json()
    except ValueError:
        document = None
    return document if isinstance(document, dict) else {}


def _result(result: dict[str, Any] | None) -> Answer:
    if result is None:
        return Answer(503, "Ingest left the row out of its answer.")
    return _problem(result["problem"]) if "problem" in result else Answer(202)


def _problem(problem: dict[str, Any]) -> Answer:
    return Answer(
        status=int(problem["status"]),
        detail=str(problem.get("detail", "")),
        retry_after=_seconds(problem.get("retry_after")),
    )


def _seconds(value: object) -> float:
    """Retry-After as seconds; its form as a date is not one that ingest sends."""
    try:
        return max(0.0, float(str(value)))
    except ValueError:
        return 0.0


class Patience:
    """Ends retries after `wait` seconds without an acceptance, of the account where it is limited, else of any."""

    def __init__(self, wait: float, clock: Callable[[], float]) -> None:
        self._wait, self._clock = wait, clock
        self._accepted_at: dict[str, float] = {}

    def accepted(self, account_id: str) -> None:
        """Note an acceptance."""
        self._accepted_at[account_id] = self._accepted_at[_ANY_ACCOUNT] = self._clock()

    def allows(self, answer: Answer, account_id: str, since: float) -> bool:
        """Whether to send a row again that was first sent at `since`."""
        if not (answer.limited or answer.unknown):
            return False
        whose = account_id if answer.limited else _ANY_ACCOUNT
        since = max(since, self._accepted_at.get(whose, since))
        return self._clock() + answer.retry_after - since <= self._wait + ROUNDING_SECONDS
