"""`python -m local dead-letters` against a real RabbitMQ and PostgreSQL, and score after a redrive."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from functions.ingest.app import create_app
from functions.ingest.wiring import once_per_loop
from functions.ingest.wiring import wire as wire_ingest
from functions.score.invocation import Invocations
from functions.score.wiring import scorer_for, wire
from shared.settings import Settings
from tests.builders import a_posted_transaction
from tests.contract.dead_letter_keepers import RabbitMQKeeper, rabbitmq_keeper
from tests.scoring import an_envelope

ROOT = Path(__file__).parents[2]
CARD = "4111111111111111"


@dataclass
class Place:
    """Services of the test's own, and the command on them."""

    keeper: RabbitMQKeeper
    settings: Settings

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        chosen = {
            "FRAUDSENSE_RABBITMQ_URL": self.settings.rabbitmq_url,
            "FRAUDSENSE_DATABASE_URL": self.settings.database_url,
            "FRAUDSENSE_QUEUE_NAME": self.settings.queue_name,
        }
        return subprocess.run(
            [sys.executable, "-m", "local", "dead-letters", *words],
            cwd=ROOT,
            env=os.environ | chosen | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def answer(self, *words: str, code: int = 0) -> dict[str, Any]:
        done = self.run(*words, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def invocations(self, **changes: Any) -> Invocations:
        return Invocations(replace(wire(self.settings, scorer_for(self.settings)), **changes))

    async def status(self, transaction_id: str) -> str:
        """What ingest answers."""
        parts = once_per_loop(lambda: wire_ingest(self.settings))
        transport = httpx.ASGITransport(app=create_app(parts))
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
            return (await client.get(f"/transactions/{transaction_id}")).json()["status"]

    def rows(self) -> list[tuple[str, int]]:
        with psycopg.connect(self.settings.database_url) as database:
            return database.execute("SELECT reason, times FROM rejected_messages ORDER BY id").fetchall()


@pytest.fixture
async def place(services, database_url: str, redis_url: str, queue_name: str) -> AsyncIterator[Place]:
    with psycopg.connect(database_url, autocommit=True) as database:
        database.execute("TRUNCATE rejected_messages")
    async with rabbitmq_keeper(services.rabbitmq, queue_name, "quorum") as keeper:
        settings = Settings(
            database_url=database_url,
            redis_url=redis_url,
            rabbitmq_url=services.rabbitmq,
            queue_name=queue_name,
            retry_budget_seconds=0,
        )
        yield Place(keeper, settings)


async def test_both_sources_are_listed_shown_sent_again_and_deleted(place: Place) -> None:
    await place.keeper.bury(b'{"v": 1, "items": []}', b"\xff\x00")
    place.invocations().run([b"rubbish"])

    listed = place.answer("list")
    assert listed["waiting"] == {"queue": 2, "quarantine": 1}
    queued, binary, row = listed["letters"]
    assert [queued["reason"], row["reason"]] == ["rejected", "unreadable"]
    assert place.answer("show", queued["id"])["body"] == '{"v": 1, "items": []}'
    assert place.answer("show", binary["id"])["body_hex"] == "ff00"
    assert place.answer("show", row["id"])["body"] == "rubbish"

    assert place.answer("redrive", queued["id"], row["id"])["redriven"] == 2
    assert sorted(await place.keeper.published()) == [b"rubbish", b'{"v": 1, "items": []}']
    assert place.answer("purge", "--all", "--yes")["purged"] == 1
    assert place.answer("list")["letters"] == []


async def test_people_get_a_table_and_a_letter_in_full(place: Place) -> None:
    await place.keeper.bury(b"some text")
    letter_id = place.answer("list")["letters"][0]["id"]

    table = place.run("list").stdout
    assert letter_id in table
    assert "queue: 1 waiting; quarantine: 0 waiting." in table
    assert place.run("show", letter_id).stdout.rstrip().endswith("some text")
    assert "1 redriven, 0 left." in place.run("redrive", "--all").stdout


async def test_a_transaction_is_scored_once_the_cause_of_its_rejection_is_mended(place: Place) -> None:
    now = datetime.now(UTC)
    ahead = a_posted_transaction(transaction_id=f"t-{uuid4()}", timestamp=now.isoformat())
    place.invocations(now=lambda: now - timedelta(hours=1)).run([an_envelope(ahead)])
    assert await place.status(ahead["transaction_id"]) == "rejected"

    assert place.answer("redrive", "--reason", "time_in_future")["redriven"] == 1
    place.invocations().run(await place.keeper.published())

    assert await place.status(ahead["transaction_id"]) == "scored"
    assert place.rows() == []


async def test_a_transaction_that_broke_the_scorer_is_scored_once_that_is_mended(place: Place) -> None:
    class Broken:
        def decide(self, *_: object) -> None:
            raise ZeroDivisionError

    posted = a_posted_transaction(transaction_id=f"t-{uuid4()}")
    place.invocations(scorer=Broken).run([an_envelope(posted)])
    assert place.rows() == [("scoring_failed", 1)]

    place.answer("redrive", "--all", "--source", "quarantine")
    place.invocations().run(await place.keeper.published())

    assert await place.status(posted["transaction_id"]) == "scored"


async def test_rubbish_that_is_sent_again_comes_back_and_nothing_is_lost(place: Place) -> None:
    place.invocations().run([b"rubbish"])

    assert place.answer("redrive", "--all")["redriven"] == 1
    place.invocations().run([*await place.keeper.published(), b"rubbish"])

    assert place.rows() == [("unreadable", 2)]


async def test_what_is_not_the_original_any_more_is_sent_only_by_id_and_force(place: Place) -> None:
    posted = a_posted_transaction(transaction_id=f"t-{uuid4()}")
    other = posted | {"amount": "26.00"}
    place.invocations().run([an_envelope(posted | {"transaction_id": f"t-{uuid4()}", "note": CARD})])
    place.invocations().run([an_envelope(posted), an_envelope(other)])
    assert [reason for reason, _ in place.rows()] == ["card_data", "id_conflict"]

    refused = place.answer("redrive", "--all", code=1)

    assert (refused["redriven"], refused["left_count"]) == (0, 2)
    assert "masked" in refused["left"][0]["why"]
    assert place.run("redrive", "--all", "--force").returncode == 2
    [masked] = refused["left"][0]["ids"]
    assert place.answer("redrive", masked, "--force")["redriven"] == 1
    assert CARD.encode() not in b"".join(await place.keeper.published())


async def test_card_numbers_in_dead_letters_are_not_shown(place: Place) -> None:
    await place.keeper.bury(json.dumps({"number": CARD}).encode())
    letter_id = place.answer("list")["letters"][0]["id"]

    shown = place.run("show", letter_id).stdout + place.run("show", letter_id, "--json").stdout

    assert "number" in shown
    assert CARD not in shown


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["redrive"], "Say which letters"),
        (["purge", "--all"], "add --yes"),
        (["purge", "--all", "--json"], "add --yes"),
        (["redrive", "x", "--all"], "not ids and one of the others"),
        (["show", "none-such"], "No dead letter has the id none-such"),
    ],
)
async def test_what_cannot_be_done_says_what_to_do(place: Place, words: list[str], sentence: str) -> None:
    done = place.run(*words)

    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


async def test_an_id_that_is_not_there_is_named(place: Place) -> None:
    assert place.answer("redrive", "none-such", "rejected-999999", code=1)["not_found"] == [
        "none-such",
        "rejected-999999",
    ]


async def test_without_services_the_setting_to_mend_is_named(place: Place, tmp_path: Path) -> None:
    nowhere = place.run("list", FRAUDSENSE_RABBITMQ_URL="amqp://guest:guest@127.0.0.1:1/")
    nothing = place.run("list", FRAUDSENSE_RABBITMQ_URL="", FRAUDSENSE_DATA_DIR=str(tmp_path))

    assert (nowhere.returncode, nothing.returncode) == (2, 2)
    assert "is FRAUDSENSE_RABBITMQ_URL right?" in nowhere.stderr
    assert "make run" in nothing.stderr
