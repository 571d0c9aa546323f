"""Two versions at once, as while a deployment rolls out or back: each goes on where the other stopped."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from functions.score.invocation import Invocations
from functions.score.wiring import scorer_for, wire
from shared.domain.history import History
from shared.messages.envelope import encode_envelopes
from shared.messages.transaction_in import parse_transaction
from shared.settings import Settings
from tests.builders import NOON, a_posted_transaction, a_transaction
from tests.contract.brokers import RabbitMQBroker, rabbitmq_broker
from tests.ports import free_port
from tests.previous import Previous, back_from, earlier_commits, export
from tests.waiting import eventually

EARLIER = earlier_commits()
NO_HISTORY = pytest.mark.skip(reason="there is no git history with a commit before this one")
COMMITS = [pytest.param(commit, id=said) for commit, said in EARLIER.items()] or [
    pytest.param("", marks=NO_HISTORY, id="no history")
]


@pytest.fixture(scope="module", params=COMMITS)
def previous(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Previous:
    """That commit, or one before it that starts at all: only such a one can be running somewhere."""
    for commit in back_from(request.param):
        if (found := export(commit, tmp_path_factory.mktemp("previous"))).starts:
            return found
    pytest.skip(f"no commit shortly before {request.param} starts")


@pytest.fixture
async def broker(services, queue_name: str) -> AsyncIterator[RabbitMQBroker]:
    async with rabbitmq_broker(services.rabbitmq, queue_name, "quorum", 1000) as broker:
        yield broker


@pytest.fixture
def addresses(services, database_url: str, redis_url: str, queue_name: str) -> dict[str, str]:
    """The settings that both versions know."""
    return {
        "database_url": database_url,
        "redis_url": redis_url,
        "rabbitmq_url": services.rabbitmq,
        "queue_name": queue_name,
    }


class Account:
    """One account's transactions, a second apart, and what the books and its history hold of them."""

    def __init__(self, database_url: str) -> None:
        self.name = f"acct-{uuid4().hex[:12]}"
        self._database_url = database_url

    def posted(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """As a client posts them."""
        return [
            a_posted_transaction(
                transaction_id=f"{self.name}-{n}",
                account_id=self.name,
                timestamp=(NOON + timedelta(seconds=n)).isoformat(),
            )
            for n in numbers
        ]

    def envelope(self, numbers: Sequence[int]) -> bytes:
        """As the present ingest writes them."""
        items = [parse_transaction(each, now=NOON + timedelta(hours=1)) for each in self.posted(numbers)]
        [(body, _)] = encode_envelopes(items)
        return body

    def recorded(self) -> int:
        """How many decisions there are; fails where anything was rejected or recorded without its gate."""
        tables = ("scores", "transactions", "transaction_ids", "rejected_messages")
        with psycopg.connect(self._database_url) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ  # a scorer writes meanwhile
            counts = [self._count(connection, table) for table in tables]
        assert counts == [counts[0]] * 3 + [0]
        return counts[0]

    def _count(self, connection: psycopg.Connection, table: str) -> int:
        query = sql.SQL("SELECT count(*) FROM {} WHERE transaction_id LIKE %s").format(sql.Identifier(table))
        row = connection.execute(query, [f"{self.name}-%"]).fetchone()
        return int(row[0]) if row else 0


def history_at(settings: Settings, account: Account, number: int) -> History:
    """What the present scorer knows before this transaction."""
    at = NOON + timedelta(seconds=number)
    transaction = a_transaction(transaction_id=f"{account.name}-{number}", account_id=account.name, occurred_at=at)
    [history] = wire(settings, scorer_for(settings)).history.observe([transaction])
    return history


async def test_scorers_of_both_versions_take_turns_and_count_everything_once(
    previous: Previous, broker: RabbitMQBroker, addresses: dict[str, str]
) -> None:
    settings = Settings(**addresses, retry_budget_seconds=0)
    account = Account(settings.postgres_url)
    present = Invocations(wire(settings, scorer_for(settings)))
    present.run([account.envelope(range(5))])

    environment = {f"FRAUDSENSE_{name}".upper(): value for name, value in addresses.items()}
    with previous.scorer(environment | {"FRAUDSENSE_SCORE_PORT": str(free_port())}):
        await broker.publisher.publish(account.envelope(range(5)), message_id="redelivered")
        await broker.publisher.publish(account.envelope(range(3, 10)), message_id="overlapping")
        await asyncio.to_thread(eventually, lambda: account.recorded() == 10, within=20)
    present.run([account.envelope(range(8, 15))])

    assert account.recorded() == 15
    assert history_at(settings, account, 15).count_1h == 15
    assert await broker.receive() is None, previous.log
    assert await broker.dead_letters() == []


def test_the_present_scorer_takes_what_the_previous_ingest_writes(
    previous: Previous, addresses: dict[str, str]
) -> None:
    settings = Settings(**addresses, retry_budget_seconds=0)
    account = Account(settings.postgres_url)
    envelope = previous.answer(
        "import sys; from datetime import UTC, datetime;"
        "from shared.messages.envelope import encode_envelopes;"
        "from shared.messages.transaction_in import parse_transaction;"
        f"items = [parse_transaction(each, now=datetime.now(UTC)) for each in {account.posted(range(3))!r}];"
        "sys.stdout.buffer.write(next(iter(encode_envelopes(items)))[0])"
    )

    Invocations(wire(settings, scorer_for(settings))).run([envelope, account.envelope(range(3))])

    assert account.recorded() == 3
