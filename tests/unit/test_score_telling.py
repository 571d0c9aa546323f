"""What the counters say of batches: as many as there are rows in the books."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from functions.score.invocation import Invocations
from shared.telemetry.metrics import configure_metrics, render
from tests.builders import a_posted_transaction
from tests.scoring import Bench, StubScorer, an_envelope, posted_in_a_row

LARGE = a_posted_transaction(transaction_id="large", amount=5000)
SMALL = a_posted_transaction(transaction_id="small")
OTHER = SMALL | {"amount": "5000.00"}


def total(counter: str) -> float:
    """Over all labels."""
    samples = re.findall(rf"^{counter}(?:{{.*}})? (\S+)$", render().decode(), re.MULTILINE)
    return sum(map(float, samples))


def usual(invocations: Invocations, bench: Bench) -> None:
    invocations.run([an_envelope(*posted_in_a_row(3, amount=5000), SMALL)])


def doubles(invocations: Invocations, bench: Bench) -> None:
    invocations.run([an_envelope(LARGE, LARGE, SMALL), an_envelope(SMALL)])
    invocations.run([an_envelope(LARGE, SMALL)])


def conflicts(invocations: Invocations, bench: Bench) -> None:
    invocations.run([an_envelope(SMALL, SMALL, OTHER)])
    invocations.run([an_envelope(OTHER)])


def an_outage_of_the_feed(invocations: Invocations, bench: Bench) -> None:
    bench.announcer.available = False
    invocations.run([an_envelope(LARGE, SMALL)])


@pytest.mark.parametrize("happening", [usual, doubles, conflicts, an_outage_of_the_feed])
def test_the_counters_equal_the_rows(happening: Callable[[Invocations, Bench], None]) -> None:
    configure_metrics("score")
    bench = Bench()
    names = ("transactions_processed_total", "alerts_created_total", "transaction_processing_seconds_count")
    before = [total(name) for name in names]
    happening(bench.invocations(), bench)
    counted = [total(name) - start for name, start in zip(names, before, strict=True)]
    rows, alerts = len(bench.recorder.recorded), len(bench.recorder.alerts)
    assert counted == [rows, alerts, rows]


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
BROKEN = a_posted_transaction(transaction_id="broken", currency="QQQ")
CARD = a_posted_transaction(transaction_id="card", account_id="4111111111111111")


def a_traced_envelope(posted: dict[str, Any]) -> bytes:
    item = {"transaction": posted, "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    return json.dumps({"v": 1, "items": [item]}).encode()


@pytest.mark.parametrize(
    ("message", "known"),
    [
        (a_traced_envelope(BROKEN), ("unknown_currency", TRACE, "acct-1", "broken")),
        (a_traced_envelope(CARD), ("card_data", TRACE, None, "card")),
        (a_traced_envelope(OTHER), ("id_conflict", TRACE, "acct-1", "small")),
        (a_traced_envelope(LARGE), ("scoring_failed", TRACE, "acct-1", "large")),
        (an_envelope(BROKEN), ("unknown_currency", None, "acct-1", "broken")),
        (b"garbage", ("unreadable", None, None, None)),
    ],
)
def test_a_rejection_is_logged_with_what_is_known_of_it(
    message: bytes, known: tuple[str | None, ...], caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(scorer=StubScorer("large"))
    invocations = bench.invocations()
    invocations.run([an_envelope(SMALL)])
    invocations.run([message])
    [line] = [each for each in caplog.records if getattr(each, "event", "") == "transaction_rejected"]
    names = ("reason", "trace_id", "account_id", "transaction_id")
    assert tuple(getattr(line, name, None) for name in names) == known
