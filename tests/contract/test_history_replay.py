"""Training and serving see the same: a long replay through the model and through Redis gives equal features.

FRAUDSENSE_TEST_TRANSACTIONS may name a CSV of transactions to replay instead of the sample customers'.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from ml.simulation.customers import customer, ordinary_amount
from ml.simulation.world import in_currency, world
from shared.csv_layouts import CsvFile
from shared.domain.account_history import AccountHistories
from shared.domain.features import feature_row
from shared.domain.history import WINDOWS
from shared.domain.signals import NO_SIGNALS
from shared.domain.transaction import Transaction
from shared.feature_store.redis_history import RedisHistory, connect
from shared.messages.transaction_in import valid_transaction
from shared.testing.pasts import MemoryPasts
from shared.transactions_csv import read_transactions
from tests.builders import NOON

Arrival = tuple[datetime, Transaction]

COUNT, DAYS, ACCOUNTS = 20_000, 45, 200
FILE = os.environ.get("FRAUDSENSE_TEST_TRANSACTIONS")


def in_order(chance: Random) -> Iterator[Transaction]:
    """Of customers with a home, usual merchants and two currencies; some pay far more often than others."""
    within = world(seed=7, merchants_per_city=20)
    customers = [customer(within, f"acct-{n}", Random(n)) for n in range(ACCOUNTS)]
    for n in range(COUNT):
        who = customers[min(int(chance.expovariate(6 / ACCOUNTS)), ACCOUNTS - 1)]
        merchant, currency = chance.choice(who.merchants), chance.choice([who.currency, who.currency, "EUR"])
        yield Transaction(
            f"txn-{n}",
            who.account_id,
            merchant.merchant_id,
            Decimal(in_currency(ordinary_amount(who, merchant, chance), currency)),
            currency,
            NOON + n * timedelta(days=DAYS) / COUNT,
            merchant_category=chance.choice([merchant.category, None]),
            place=chance.choice([merchant.place, None]),
            home=who.home,
        )


def of_file(path: Path) -> Iterator[Transaction]:
    now = datetime.now(UTC)
    return (valid_transaction(row.posted, now=now) for row in read_transactions(CsvFile(path), COUNT))


def delivered(transactions: Sequence[Transaction], chance: Random) -> list[Transaction]:
    """In nearly their order: some late, some again, some with a sibling at once or at a window's edge."""
    waits = {0: 0.9, 300: 0.06, 50_000: 0.03, 3_000_000: 0.01}
    late = chance.choices([*waits], [*waits.values()], k=len(transactions))
    arrivals = [
        (each.occurred_at + timedelta(seconds=s * chance.random()), each)
        for s, each in zip(late, transactions, strict=True)
    ]
    again = [
        (at + timedelta(seconds=chance.expovariate(1 / 3600)), each)
        for at, each in chance.sample(arrivals, len(arrivals) // 20)
    ]
    twins = [
        (at, replace(each, transaction_id=f"{each.transaction_id}-twin"))
        for at, each in chance.sample(arrivals, len(arrivals) // 50)
    ]
    everything = arrivals + again + twins + at_edges(arrivals, chance)
    return [each for _, each in sorted(everything, key=lambda pair: pair[0])]


def at_edges(arrivals: Sequence[Arrival], chance: Random) -> list[Arrival]:
    """Of some a sibling as much later as a window is wide, and of others one a microsecond sooner."""
    return [
        (
            at + wait,
            replace(each, transaction_id=f"{each.transaction_id}-{wait}", occurred_at=each.occurred_at + wait),
        )
        for width in (WINDOWS.five_minutes, WINDOWS.hour, WINDOWS.day)
        for wait in (timedelta(microseconds=width), timedelta(microseconds=width - 1))
        for at, each in chance.sample(arrivals, len(arrivals) // 200)
    ]


def test_a_long_replay_gives_equal_features_from_the_model_and_from_redis(redis_url: str) -> None:
    chance = Random(7)
    sent = delivered([*(of_file(Path(FILE)) if FILE else in_order(chance))], chance)
    model = AccountHistories()

    with connect(redis_url) as client:
        client.flushdb()
        store = RedisHistory(client, MemoryPasts())
        for at in range(0, len(sent), 500):
            batch = sent[at : at + 500]
            expected = [replace(model.observe(each), recent_refusals=0) for each in batch]
            answered = store.observe(batch)
            assert answered == expected
            for each, known, told in zip(batch, expected, answered, strict=True):
                row = feature_row(each, told, NO_SIGNALS)
                assert row == pytest.approx(feature_row(each, known, NO_SIGNALS), rel=0, abs=1e-9, nan_ok=True)
    assert len(sent) > COUNT
