"""What the counters say of batches: as many as there are rows in the books."""

import re
from collections.abc import Callable

import pytest

from functions.score.invocation import Invocations
from shared.telemetry.metrics import configure_metrics, render
from tests.builders import a_posted_transaction
from tests.scoring import Bench, an_envelope, posted_in_a_row

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
