"""The whole product over Service Bus: a test double of it as its own process, `local run` on that."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

pytest.importorskip("proton", reason="the test double of Service Bus needs python-qpid-proton")

from azure.servicebus import ServiceBusClient, ServiceBusSubQueue

from tests.builders import a_posted_transaction
from tests.end_to_end.stack import ROOT, Stack, running_stack
from tests.waiting import eventually

AWAY_SECONDS = 6
FAR_FROM_HOME = {"geo_lat": 48.8566, "geo_lon": 2.3522, "home_lat": 40.7128, "home_lon": -74.0060}


@dataclass(frozen=True)
class Double:
    """Service Bus as far as the product can tell; it keeps its messages while it is away."""

    process: subprocess.Popen[str]
    connection: str

    def go_away(self) -> None:
        """Break off every connection and refuse new ones."""
        self.process.send_signal(signal.SIGUSR1)

    def come_back(self) -> None:
        """Listen again."""
        self.process.send_signal(signal.SIGUSR2)

    def dead_letters(self) -> int:
        """How many there are, 0 for none within two seconds."""
        with (
            ServiceBusClient.from_connection_string(self.connection) as client,
            client.get_queue_receiver("transactions", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver,
        ):
            return len(receiver.peek_messages(10, timeout=2))


@pytest.fixture(scope="module")
def double() -> Iterator[Double]:
    command = [sys.executable, "-m", "tests.servicebus", "--lock-seconds", "5"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield Double(process, process.stdout.readline().removeprefix("READY ").strip())
        process.terminate()


@pytest.fixture(scope="module")
def stack(double: Double, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(
        tmp_path_factory.mktemp("stack"),
        FRAUDSENSE_BROKER="servicebus",
        FRAUDSENSE_SERVICEBUS_CONNECTION=double.connection,
    ) as running:
        yield running


def posted(number: int) -> list[dict[str, Any]]:
    """Transactions with ids of their own."""
    run = uuid4().hex
    return [
        a_posted_transaction(transaction_id=f"t-{run}-{n}", account_id=f"a-{run}-{n % 50}") for n in range(number)
    ]


def post_batch(stack: Stack, transactions: list[dict[str, Any]]) -> list[str]:
    """The ids that were accepted."""
    answer = httpx.post(
        f"{stack.urls['ingest']}/transactions/batch", json={"transactions": transactions}, timeout=30
    )
    assert answer.status_code == 200, answer.text
    return [each["transaction_id"] for each in answer.json()["results"] if each.get("status") == "queued"]


def books(stack: Stack, ids: list[str]) -> tuple[int, int, int]:
    """Of these ids: transactions, scores, and distinct scored ids."""
    query = (
        "SELECT count(*), count(s.transaction_id), count(DISTINCT s.transaction_id)"
        " FROM transactions t LEFT JOIN scores s USING (transaction_id) WHERE t.transaction_id = ANY(%s)"
    )
    with psycopg.connect(stack.urls["database"]) as database:
        transactions, scores, distinct = database.execute(query, [ids]).fetchone() or (0, 0, 0)
        return transactions, scores, distinct


def expect_each_scored_once(stack: Stack, ids: list[str]) -> None:
    eventually(lambda: books(stack, ids)[2] == len(ids))
    assert books(stack, ids) == (len(ids), len(ids), len(ids))


def test_no_rabbitmq_is_started_and_status_says_so(stack: Stack) -> None:
    assert stack.urls["rabbitmq"] is None
    assert stack.pids["rabbitmq"] is None
    told = stack.local("status")
    assert "rabbitmq  not used" in told.stdout


def test_a_suspicious_transaction_becomes_a_row_a_score_and_an_alert(stack: Stack) -> None:
    name = f"t-{uuid4().hex}"
    suspicious = a_posted_transaction(
        transaction_id=name,
        account_id=f"a-{name}",
        amount="9999.99",
        timestamp=datetime.now(UTC).isoformat(),
        **FAR_FROM_HOME,
    )
    assert httpx.post(f"{stack.urls['ingest']}/transactions", json=suspicious).status_code == 202

    def scored() -> dict[str, Any] | None:
        found = httpx.get(f"{stack.urls['ingest']}/transactions/{name}")
        body: dict[str, Any] = found.json()
        return body if found.status_code == 200 and body["status"] == "scored" else None

    decision = eventually(scored)
    assert decision["risk_label"] == "HIGH"
    alert = httpx.get(f"{stack.urls['alerts']}/alerts/{decision['alert_id']}").json()
    assert alert["transaction_id"] == name


def test_a_batch_of_a_thousand_is_scored_once_each(stack: Stack) -> None:
    ids = post_batch(stack, posted(1000))
    assert len(ids) == 1000
    expect_each_scored_once(stack, ids)


def test_a_file_is_published_and_replayed(stack: Stack, double: Double, tmp_path: Path) -> None:
    ids, file = [], tmp_path / "transactions.jsonl"
    with file.open("w") as lines:
        for transaction in posted(150):
            ids.append(transaction["transaction_id"])
            lines.write(json.dumps(transaction) + "\n")
    broker = {"FRAUDSENSE_BROKER": "servicebus", "FRAUDSENSE_SERVICEBUS_CONNECTION": double.connection}
    published = stack.local("enqueue", str(file), **broker)
    assert published.returncode == 0, published.stderr
    expect_each_scored_once(stack, ids)


def test_a_scorer_killed_at_work_loses_and_doubles_nothing(stack: Stack) -> None:
    ids = post_batch(stack, posted(1000))
    eventually(lambda: books(stack, ids)[0] > 0)
    os.kill(score_pid(stack), signal.SIGKILL)
    ids += post_batch(stack, posted(200))
    expect_each_scored_once(stack, ids)


def test_an_outage_is_answered_503_in_time_and_ends_by_itself(stack: Stack, double: Double) -> None:
    accepted = post_batch(stack, posted(300))
    double.go_away()
    gone = time.monotonic()
    began = time.monotonic()
    refused = httpx.post(f"{stack.urls['ingest']}/transactions", json=posted(1)[0], timeout=10)
    assert (refused.status_code, time.monotonic() - began < 5.5) == (503, True)
    time.sleep(max(0.0, AWAY_SECONDS - (time.monotonic() - gone)))
    double.come_back()

    more = posted(100)

    def accepted_again() -> list[str] | None:
        with suppress(AssertionError):
            return post_batch(stack, more)
        return None

    accepted += eventually(accepted_again)
    expect_each_scored_once(stack, accepted)
    assert double.dead_letters() == 0


def score_pid(stack: Stack) -> int:
    told = stack.local("status", "--json")
    return int(json.loads(told.stdout)["pids"]["score"])
