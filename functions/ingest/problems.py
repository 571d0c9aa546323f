"""The problems that only ingest answers with; the general ones are in shared/problems.py."""

from collections.abc import Iterable
from datetime import timedelta

from shared import problems
from shared.problems import RETRY_LATER, RETRY_SOON, FieldError, Kind, Problem


def invalid(errors: Iterable[FieldError]) -> Problem:
    """422 with every field error."""
    return problems.invalid(errors, "nothing was queued")


def conflict() -> Problem:
    """409."""
    return Problem(
        Kind.CONFLICT,
        "A transaction with this id but other content was accepted before; give a new transaction a new id.",
    )


def rate_limited(retry_after: timedelta) -> Problem:
    """429; `retry_after` is when the account's next place is free."""
    return Problem(
        Kind.RATE_LIMITED,
        "This account reached its number of transactions a minute; send it again after Retry-After seconds.",
        retry_after=retry_after,
    )


def queue_full() -> Problem:
    """503 of a publishing queue that has no room; nothing was queued."""
    return Problem(
        Kind.QUEUE_FULL,
        "Nothing was queued; send the same again after Retry-After seconds.",
        retry_after=RETRY_SOON,
    )


def backlog() -> Problem:
    """503 of a queue that is deeper than it may be; nothing was queued."""
    return Problem(
        Kind.BACKLOG,
        "Nothing was queued: scoring is behind. Send the same again after Retry-After seconds, and more slowly.",
        retry_after=RETRY_LATER,
    )


def unconfirmed() -> Problem:
    """503 of a broker that did not confirm."""
    return Problem(
        Kind.UNCONFIRMED,
        "Whether it was queued is unknown; send the same again after Retry-After seconds, it is harmless.",
        retry_after=RETRY_LATER,
    )


def posting_failed() -> Problem:
    """500 of a posting route."""
    return problems.unexpected("Whether it was queued is unknown; send the same again")
