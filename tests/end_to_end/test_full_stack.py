"""A transaction travels end to end: HTTP, queue, score, rows, alert, dashboard."""

import asyncio
import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import redis
from aio_pika import Message, connect
from playwright.async_api import Page, expect

from tests.builders import a_posted_transaction
from tests.end_to_end.stack import Stack, running_stack
from tests.waiting import eventually

FAR_FROM_HOME = {"geo_lat": 48.8566, "geo_lon": 2.3522, "home_lat": 40.7128, "home_lon": -74.0060}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


def post(stack: Stack, **changes: Any) -> httpx.Response:
    return httpx.post(f"{stack.urls['ingest']}/transactions", json=a_posted_transaction(**changes))


def post_suspicious(stack: Stack, transaction_id: str) -> None:
    answer = post(
        stack,
        transaction_id=transaction_id,
        account_id=f"acct-of-{transaction_id}",
        amount="9999.99",
        timestamp=datetime.now(UTC).isoformat(),
        **FAR_FROM_HOME,
    )
    assert answer.status_code == 202, answer.text


def outcome(stack: Stack, transaction_id: str) -> dict[str, Any]:
    """The transaction once it is no longer queued."""

    def finished() -> dict[str, Any] | None:
        found = httpx.get(f"{stack.urls['ingest']}/transactions/{transaction_id}")
        body: dict[str, Any] = found.json()
        return body if found.status_code == 200 and body["status"] != "queued" else None

    return eventually(finished)


def rows(stack: Stack, query: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.urls["database"]) as connection:
        return connection.execute(query, values).fetchall()


def put_on_queue(stack: Stack, *bodies: bytes) -> None:
    async def publish() -> None:
        async with await connect(stack.urls["rabbitmq"]) as connection:
            channel = await connection.channel()
            for body in bodies:
                await channel.default_exchange.publish(Message(body), routing_key="transactions")

    asyncio.run(publish())


def an_envelope(**changes: Any) -> bytes:
    return json.dumps({"v": 1, "items": [{"transaction": a_posted_transaction(**changes)}]}).encode()


async def test_an_alert_posted_over_http_appears_on_the_page_without_reload(stack: Stack, page: Page) -> None:
    await page.goto(stack.urls["alerts"])
    await page.evaluate("window.loadedOnce = true")
    await asyncio.to_thread(post_suspicious, stack, "e2e-high")
    await expect(page.get_by_text("acct-of-e2e-high").first).to_be_visible(timeout=15_000)
    assert await page.evaluate("window.loadedOnce")


def test_a_scored_transaction_reads_back_with_its_decision(stack: Stack) -> None:
    post_suspicious(stack, "e2e-read")
    scored = outcome(stack, "e2e-read")
    assert scored["status"] == "scored"
    assert scored["risk_label"] == "HIGH"
    assert scored["reasons"]
    assert scored["alert_id"]


def test_garbage_on_the_queue_is_quarantined_and_its_neighbours_are_scored(stack: Stack) -> None:
    put_on_queue(
        stack,
        an_envelope(transaction_id="e2e-before"),
        b"\xffgarbage-e2e",
        an_envelope(transaction_id="e2e-bad", amount=-5),
        an_envelope(transaction_id="e2e-after"),
    )
    assert outcome(stack, "e2e-before")["status"] == "scored"
    assert outcome(stack, "e2e-after")["status"] == "scored"
    assert outcome(stack, "e2e-bad")["status"] == "rejected"
    assert rows(stack, "SELECT 1 FROM rejected_messages WHERE body = %s", b"\xffgarbage-e2e")


@pytest.mark.parametrize("other_month", [False, True])
def test_the_same_id_with_other_content_is_refused_and_recorded_once(stack: Stack, other_month: bool) -> None:
    name = f"e2e-conflict-{other_month}"
    other = {"timestamp": "2025-11-02T08:00:00Z"} if other_month else {"amount": "26.00"}
    assert post(stack, transaction_id=name).status_code == 202
    assert outcome(stack, name)["status"] == "scored"
    assert post(stack, transaction_id=name, **other).status_code == 409

    with redis.Redis.from_url(stack.urls["redis"]) as client:
        client.flushall()
    assert post(stack, transaction_id=name, **other).status_code == 202
    conflicts = "SELECT 1 FROM rejected_messages WHERE reason = 'id_conflict' AND transaction_id = %s"
    eventually(lambda: rows(stack, conflicts, name))
    assert len(rows(stack, "SELECT 1 FROM transactions WHERE transaction_id = %s", name)) == 1
    assert len(rows(stack, "SELECT 1 FROM scores WHERE transaction_id = %s", name)) == 1


def test_a_replayed_file_is_scored_exactly_once_however_often_it_is_replayed(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "sample.csv"
    write_transactions(file, 2_000)
    books = (
        "SELECT count(*), count(DISTINCT t.transaction_id), count(DISTINCT s.transaction_id) "
        "FROM transactions t LEFT JOIN scores s USING (transaction_id) WHERE t.transaction_id LIKE 'e2e-file-%%'"
    )
    for _ in range(2):
        replay = stack.local("replay", str(file), "--url", stack.urls["ingest"], "--json")
        assert replay.returncode == 0, replay.stderr
        summary = json.loads(replay.stdout.splitlines()[-1])
        assert (summary["accepted"], summary["scored"], summary["rejected"]) == (2_000, 2_000, 0)
        assert rows(stack, books) == [(2_000, 2_000, 2_000)]


def write_transactions(file: Path, amount: int) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["transaction_id", "account_id", "amount", "currency", "timestamp", "merchant_id"])
        for i in range(amount):
            moment = (start + timedelta(minutes=7 * i)).isoformat()
            writer.writerow([f"e2e-file-{i}", f"acct-{i % 40}", 5 + i % 90, "USD", moment, f"mer-{i % 25}"])
