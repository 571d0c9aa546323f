"""Redis emptied under a running scorer, and the command that rebuilds histories, against real services."""

import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from math import inf
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import redis

from functions.score.handler import Outcome, score
from functions.score.patience import Patience
from shared.database.past import PostgresPasts
from shared.database.recorder import PostgresRecorder
from shared.domain.history import WINDOWS, History
from shared.feature_store.redis_history import RedisHistory, connect
from shared.redis_keys import account_key
from shared.testing.announcer import MemoryAnnouncer
from tests.builders import NOON, a_posted_transaction, a_scored_transaction, a_transaction
from tests.scoring import NOW, StubScorer, an_envelope

ROOT = Path(__file__).parents[2]


@dataclass
class Scoring:
    """The handler over real services, and the histories that its scorer saw."""

    client: redis.Redis
    history: RedisHistory
    recorder: PostgresRecorder
    scorer: StubScorer

    def score(self, *posted: dict[str, object]) -> Outcome:
        return score(
            [an_envelope(*posted)],
            history=self.history,
            scorer=self.scorer,
            recorder=self.recorder,
            announcer=MemoryAnnouncer(),
            patience=Patience(timedelta(0)),
            now=lambda: NOW,
        )

    def last_seen(self) -> History:
        return self.scorer.seen[-1]


@pytest.fixture
def scoring(database_url: str, redis_url: str) -> Iterator[Scoring]:
    client = connect(redis_url)
    with closing(PostgresRecorder(database_url)) as recorder, closing(PostgresPasts(database_url)) as pasts:
        yield Scoring(client, RedisHistory(client, pasts), recorder, StubScorer())


@pytest.fixture
def post() -> Callable[[], dict[str, object]]:
    """The next transaction of one account, a minute after the one before."""
    account, numbers = f"a-{uuid4()}", count()
    return lambda: a_posted_transaction(
        transaction_id=f"{account}-{(n := next(numbers)):04}",
        account_id=account,
        timestamp=(NOON - timedelta(hours=1) + timedelta(minutes=n)).isoformat(),
    )


def test_after_redis_was_emptied_the_next_transaction_is_scored_with_its_past(scoring: Scoring, post) -> None:
    for _ in range(3):
        scoring.score(post())
    scoring.client.flushdb()
    scoring.score(post())
    assert (scoring.last_seen().count_1h, scoring.last_seen().amount_24h) == (3, 7500)


def test_a_batch_recorded_in_the_order_of_ids_is_loaded_in_the_order_of_its_events(scoring: Scoring) -> None:
    account = f"a-{uuid4()}"
    batch = [
        a_transaction(
            transaction_id=f"{account}-{99 - n}", account_id=account, occurred_at=NOON + timedelta(days=n)
        )
        for n in range(30)
    ]
    scoring.recorder.record(
        [replace(a_scored_transaction(each.transaction_id), transaction=each) for each in batch], []
    )
    last = replace(batch[-1], transaction_id="z", occurred_at=batch[-1].occurred_at + timedelta(hours=1))
    assert scoring.history.observe([last])[0].month.count == 30


def test_no_more_is_read_than_a_history_still_tells_of(scoring: Scoring, database_url: str) -> None:
    account = f"a-{uuid4()}"
    sent = [
        a_transaction(
            transaction_id=f"{account}-{n}",
            account_id=account,
            merchant_id=f"m{n}",
            occurred_at=NOON - timedelta(days=n),
        )
        for n in range(60)
    ]
    scoring.recorder.record(
        [replace(a_scored_transaction(each.transaction_id), transaction=each) for each in sent], []
    )
    with closing(PostgresPasts(database_url)) as pasts:
        read = [(len([*past.transactions]), past.first_seen) for _, past in pasts.load([account], until=inf)]
    first_seen = {each.merchant_id: each.occurred_at for each in sent}
    assert read == [(WINDOWS.kept_days + 1, first_seen)]


def test_busy_accounts_beside_many_others_are_loaded_in_little_memory(scoring: Scoring, database_url: str) -> None:
    busy, quiet = [f"b-{uuid4()}" for _ in range(3)], [f"q-{uuid4()}" for _ in range(300)]
    with psycopg.connect(database_url, autocommit=True) as connection:
        for account_id in busy:
            fill_in(connection, account_id, 20_000)
        fill_in(connection, quiet[0], 1)

    tracemalloc.start()
    with closing(PostgresPasts(database_url)) as pasts:
        told = pasts.load([*quiet, *busy], until=inf)
        read = {name: sum(1 for _ in past.transactions) for name, past in told}
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert read == {**dict.fromkeys(quiet, 0), quiet[0]: 1, **dict.fromkeys(busy, 20_000)}
    assert peak < 10_000_000


def test_a_busy_account_is_written_whole_in_one_observation(scoring: Scoring, database_url: str) -> None:
    account_id = f"b-{uuid4()}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        fill_in(connection, account_id, 30_000)
    next_one = a_transaction(transaction_id=f"t-{uuid4()}", account_id=account_id, occurred_at=NOON)
    [history] = scoring.history.observe([next_one])
    assert (history.count_24h, history.month.count) == (9_999, 30_000)


def fill_in(connection: psycopg.Connection, account_id: str, number: int) -> None:
    """So many transactions of an account up to NOON, the newest first, 10,000 a day."""
    connection.execute(
        """
        INSERT INTO transactions (transaction_id, "timestamp", account_id, merchant_id, amount, currency,
            raw_payload, received_at)
        SELECT %(account)s || '-' || n, %(noon)s - n * interval '8.64 s', %(account)s, 'm' || n %% 50, n, 'USD',
            '{}', now()
        FROM generate_series(1, %(number)s) AS n
        """,
        {"account": account_id, "noon": NOON, "number": number},
    )


@dataclass
class Command:
    """`python -m local rebuild-history` on these services."""

    environment: dict[str, str]

    def run(self, *arguments: str) -> dict[str, object]:
        """The line it ends with."""
        return json.loads(self.output("--json", *arguments).stdout.splitlines()[-1])

    def output(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "local", "rebuild-history", *arguments],
            cwd=ROOT,
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def command(database_url: str, redis_url: str) -> Command:
    return Command({"FRAUDSENSE_DATABASE_URL": database_url, "FRAUDSENSE_REDIS_URL": redis_url})


def test_the_command_rebuilds_what_redis_does_not_know_and_nothing_twice(
    scoring: Scoring, post, command: Command
) -> None:
    posted = [post() for _ in range(3)]
    scoring.score(*posted)
    key = account_key(str(posted[0]["account_id"]), "events")
    before = scoring.client.zrange(key, 0, -1, withscores=True)
    scoring.client.flushdb()
    first, second = command.run(), command.run()
    assert scoring.client.zrange(key, 0, -1, withscores=True) == before
    assert first["rebuilt"] == first["accounts"] == second["accounts"]
    assert (second["rebuilt"], second["left"]) == (0, [])


def test_the_command_replaces_a_history_that_lost_its_last_writes(
    scoring: Scoring, post, command: Command
) -> None:
    posted = [post() for _ in range(3)]
    scoring.score(*posted)
    account = str(posted[0]["account_id"])
    scoring.client.zrem(account_key(account, "events"), str(posted[2]["transaction_id"]))
    assert command.run("--account", account)["rebuilt"] == 0
    assert command.run("--account", account, "--all")["transactions"] == 3
    scoring.score(post())
    assert scoring.last_seen().count_1h == 3


def test_the_command_leaves_an_account_whose_events_are_not_recorded_yet(
    scoring: Scoring, post, command: Command
) -> None:
    posted = post()
    scoring.score(posted)
    in_flight = a_transaction(transaction_id=f"t-{uuid4()}", account_id=posted["account_id"])
    scoring.history.observe([in_flight])
    done = command.output("--all", "--account", str(posted["account_id"]))
    assert done.returncode == 1
    assert "not recorded yet" in done.stdout


def test_the_command_names_accounts_of_which_nothing_is_recorded(scoring: Scoring, post, command: Command) -> None:
    posted = post()
    scoring.score(posted)
    done = command.output("--account", str(posted["account_id"]), "--account", "nobody", "--account", "")
    assert done.returncode == 2
    assert "Nothing is recorded of '', 'nobody'." in done.stderr


@pytest.mark.parametrize("name", ["FRAUDSENSE_DATABASE_URL", "FRAUDSENSE_REDIS_URL"])
def test_the_command_says_which_service_does_not_answer(command: Command, name: str) -> None:
    scheme = "postgresql" if "DATABASE" in name else "redis"
    command.environment[name] = f"{scheme}://127.0.0.1:1/0"
    done = command.output()
    assert done.returncode == 2
    assert "did not" in done.stderr
    assert "Traceback" not in done.stderr
