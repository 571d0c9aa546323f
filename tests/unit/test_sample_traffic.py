"""The sample traffic: a seeded story that the scorer understands, posted politely."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from local.sample_story import Due, cast_of, story
from local.sample_traffic import Traffic, gathered
from ml.forest import load_scorer
from shared.domain.account_history import AccountHistories
from shared.domain.decision import RiskLabel
from shared.messages.transaction_in import parse_transaction
from shared.settings import SHIPPED_MODEL

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)

Door = Callable[[list[dict[str, Any]]], httpx.Response]


class FakeTime:
    """Waiting moves it, nothing else does; it says stop after `lasts` seconds."""

    def __init__(self, lasts: float = 1e9) -> None:
        self.now, self.end = 1000.0, 1000.0 + lasts

    def clock(self) -> float:
        return self.now

    def wait(self, timeout: float) -> bool:
        self.now += timeout
        return self.now >= self.end


def told(seconds: float, seed: int = 7, run: str = "r1") -> list[Due]:
    return list(takewhile(lambda payment: payment.due < seconds, story(seed, 20, run)))


def queued(count: int) -> httpx.Response:
    return httpx.Response(200, json={"results": [{"index": n, "status": "queued"} for n in range(count)]})


def traffic(door: Door, time: FakeTime | None = None, run: str = "r1") -> Traffic:
    def answer(request: httpx.Request) -> httpx.Response:
        return door(json.loads(request.content)["transactions"])

    time = time or FakeTime()
    client = httpx.Client(base_url="http://ingest", transport=httpx.MockTransport(answer))
    return Traffic(client, time, run, clock=time.clock)


def test_a_seed_tells_the_same_story_every_time() -> None:
    assert told(20) == told(20)
    assert told(20) != told(20, seed=8)


def test_payments_come_in_the_order_they_are_due() -> None:
    assert all(one.due <= other.due for one, other in pairwise(told(120)))


def test_ordinary_payments_keep_the_rate() -> None:
    ordinary = [payment for payment in told(120) if "-r1-" not in payment.who.account_id]

    assert len(ordinary) == pytest.approx(2400, rel=0.1)


def test_no_account_comes_near_the_rate_limit() -> None:
    payments = Counter(payment.who.account_id for payment in told(300))

    assert max(payments.values()) <= 40


def test_every_payment_is_a_valid_transaction() -> None:
    documents = [payment.posted(f"sample-{n}", NOW) for n, payment in enumerate(told(60))]

    transactions = [parse_transaction(document, now=NOW).transaction for document in documents]

    assert {transaction.currency for transaction in transactions} >= {"USD", "EUR", "JPY", "KWD", "IDR"}


def test_a_fresh_start_shows_several_alerts_within_seconds_and_few_later() -> None:
    scorer, histories = load_scorer(SHIPPED_MODEL), AccountHistories()
    alerts: list[Due] = []
    for number, payment in enumerate(told(180)):
        at = NOW + timedelta(seconds=payment.due)
        transaction = parse_transaction(payment.posted(f"sample-{number}", at), now=at).transaction
        (decision,) = scorer.decide([transaction], [histories.observe(transaction)])
        if decision.label is RiskLabel.HIGH:
            alerts.append(payment)

    within_20s = [alert for alert in alerts if alert.due < 20]
    assert len(within_20s) >= 5
    assert len(alerts) - len(within_20s) <= 30
    assert all("-r1-" in alert.who.account_id for alert in alerts)


def test_a_second_run_repeats_no_transaction_id_and_meets_no_harmed_account() -> None:
    posted_ids: list[str] = []

    def door(transactions: list[dict[str, Any]]) -> httpx.Response:
        posted_ids.extend(transaction["transaction_id"] for transaction in transactions)
        return queued(len(transactions))

    for run in ("r1", "r2"):
        traffic(door, run=run).post(story(7, 20, run), seconds=10)

    victims = {payment.who.account_id for run in ("r1", "r2") for payment in told(10, run=run) if payment.ago}
    assert len(posted_ids) == len(set(posted_ids)) > 400
    assert len(victims) == 6


def test_payments_due_together_leave_together() -> None:
    groups = list(gathered(told(10)))

    assert all(group[-1].due - group[0].due < 0.1 for group in groups)
    assert [payment for group in groups for payment in group] == told(10)


def test_what_ingest_may_not_have_stored_is_sent_again_under_the_same_id() -> None:
    requests: list[list[str]] = []

    def door(transactions: list[dict[str, Any]]) -> httpx.Response:
        requests.append([transaction["transaction_id"] for transaction in transactions])
        if len(requests) == 1:
            raise httpx.ConnectError("refused")
        if len(requests) == 2:
            return httpx.Response(503, json={"status": 503, "retry_after": 7})
        return queued(len(transactions))

    time = FakeTime()
    sender = traffic(door, time)
    sender.post(told(10)[:1])

    assert requests == [requests[0]] * 3
    assert sender.accepted == 1
    assert time.now > 1007


def test_an_outage_is_followed_by_ordinary_traffic_not_by_a_burst() -> None:
    time = FakeTime()
    at: list[float] = []

    def door(transactions: list[dict[str, Any]]) -> httpx.Response:
        if time.now < 1060:
            raise httpx.ConnectError("refused")
        at.append(time.now)
        return queued(len(transactions))

    traffic(door, time).post(iter(told(10)))

    assert at[-1] - at[0] == pytest.approx(10, abs=1)


def test_a_limited_account_is_left_alone_for_as_long_as_it_was_told() -> None:
    cast = cast_of(7)
    payment = cast.ordinary(cast.customer("acct-1", "customer:1"), Random(7))
    asked: list[float] = []
    time = FakeTime()

    def door(transactions: list[dict[str, Any]]) -> httpx.Response:
        asked.append(time.now - 1000)
        problem = {"status": 429, "detail": "Too fast.", "retry_after": 5}
        return httpx.Response(
            200, json={"results": [{"index": n, "problem": problem} for n in range(len(transactions))]}
        )

    def payments() -> Iterator[Due]:
        return (Due(float(due), payment) for due in range(12))

    sender = traffic(door, time)
    sender.post(payments())

    assert asked == [0, 5, 10]
    assert sender.refused == {429: 3}


def test_a_refusal_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    def door(transactions: list[dict[str, Any]]) -> httpx.Response:
        return httpx.Response(413, json={"status": 413, "detail": "Too large."})

    sender = traffic(door)
    sender.post(iter(told(2)))

    assert capsys.readouterr().err.count("(413): Too large.") == 1
    assert sender.refused[413] == len(told(2))


def test_it_stops_while_ingest_is_away() -> None:
    def door(transactions: list[dict[str, Any]]) -> httpx.Response:
        raise httpx.ConnectError("refused")

    time = FakeTime(lasts=30)
    traffic(door, time).post(story(7, 20, "r1"))

    assert 1030 <= time.now <= 1036


def test_sigterm_ends_the_command_with_0() -> None:
    command = [sys.executable, "-m", "local", "sample-traffic", "--url", "http://127.0.0.1:9"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        assert "Posting 20 sample payments a second" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=20) == 0
        assert process.stdout.read() == "0 sample payments accepted, 0 refused.\n"
