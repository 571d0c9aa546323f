"""Signals from PostgreSQL are those of the book that training keeps, and one snapshot of them is kept a day."""

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from ml.__main__ import COMMANDS
from ml.recorded import recorded
from ml.signals import SignalBook
from shared.command_line import main
from shared.database.long_work import long_work
from shared.database.recorder import PostgresRecorder
from shared.database.signal_sums import signals_of
from shared.database.signals import keep_signals, newest_signals, newest_version
from shared.domain.alert import Disposition
from shared.domain.features import FEWEST_PRICES
from shared.domain.labels import Label, counting, outcome
from shared.domain.signals import FraudShare, PriceLevel, Signals
from shared.domain.transaction import Transaction
from shared.messages.signals_json import signals_document, signals_from
from tests.builders import NOON, a_scored_transaction, a_transaction
from tests.contract.books import TABLES

DAYS = 75
DAY = NOON.date() + timedelta(days=DAYS)
MIDNIGHT = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    """Recorded transactions in time order, and every label ever known of them."""

    transactions: list[Transaction]
    labels: list[Label]

    def book(self, before: datetime) -> SignalBook:
        """What training would know: transactions and outcomes of before, in the order of their days."""
        book = SignalBook()
        known = {}
        for transaction in self.transactions:
            if transaction.occurred_at < before:
                book.add(transaction)
            mine = [
                x for x in self.labels if x.transaction_id == transaction.transaction_id and x.known_at < before
            ]
            found = outcome(counting(mine), transaction.occurred_at)
            if found and found.known_at < before:
                known[transaction] = found
        for transaction, found in sorted(known.items(), key=lambda each: each[1].known_at):
            book.know(transaction, found.is_fraud, found.known_at.date())
        return book


def a_world(*, sources: tuple[str, ...] = ("chargeback", "analyst", "partner")) -> World:
    """Seeded: 75 days at 8 merchants of 3 categories in 3 currencies, some labelled, some twice, some too late."""
    drawn = random.Random(7)
    transactions = [a_payment(drawn, number) for number in range(900)]
    labels = [
        Label(each.transaction_id, source, drawn.choice([*Disposition]), each.occurred_at + delay)
        for each in transactions
        for source in sources
        if drawn.random() < 0.25
        for delay in [timedelta(hours=drawn.randint(1, 700))]
    ]
    return World(sorted(transactions, key=lambda each: (each.occurred_at, each.transaction_id)), labels)


def a_payment(drawn: random.Random, number: int) -> Transaction:
    return a_transaction(
        transaction_id=f"txn-{number:03}",
        merchant_id=f"mer-{drawn.randint(1, 8)}",
        merchant_category=drawn.choice(["food", "travel", None]),
        amount=Decimal(drawn.randint(100, 90_000)) / 100,
        currency=drawn.choice(["USD", "JPY", "EUR"]),
        occurred_at=NOON + timedelta(minutes=drawn.randint(0, (DAYS + 2) * 24 * 60)),
    )


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    """An emptied database, as the commands use it."""
    with long_work(database_url) as connection:
        connection.execute(f"TRUNCATE {TABLES}")
        yield connection


def record(url: str, connection: psycopg.Connection, world: World) -> None:
    recorder = PostgresRecorder(url)
    changes = [{name: getattr(each, name) for name in CHANGES} for each in world.transactions]
    recorder.record([a_scored_transaction(**each) for each in changes], [])
    recorder.close()
    rows = [(x.transaction_id, x.source, str(x.verdict), x.known_at) for x in world.labels]
    insert = "INSERT INTO labels (transaction_id, source, label, labelled_at) VALUES (%s, %s, %s, %s)"
    connection.cursor().executemany(insert, rows)


CHANGES = ("transaction_id", "merchant_id", "merchant_category", "amount", "currency", "occurred_at")


def assert_close(mine: Mapping[str, PriceLevel | FraudShare], book: Mapping[str, PriceLevel | FraudShare]) -> None:
    assert mine.keys() == book.keys()
    for key, value in mine.items():
        assert astuple(value) == pytest.approx(astuple(book[key]), rel=1e-12, abs=1e-12), key


def assert_same(mine: Signals, book: Signals) -> None:
    assert mine.version == book.version
    assert_close(mine.category_prices, book.category_prices)
    assert_close(mine.merchant_prices, book.merchant_prices)
    assert_close(mine.merchant_risk, book.merchant_risk)
    assert_close(mine.category_risk, book.category_risk)
    assert_close({"": mine.usual} if mine.usual else {}, {"": book.usual} if book.usual else {})


def test_sql_finds_the_signals_that_the_book_of_training_finds(
    database_url: str, connection: psycopg.Connection
) -> None:
    world = a_world()
    record(database_url, connection, world)
    mine = signals_of(connection, DAY)
    assert_same(mine, world.book(MIDNIGHT).snapshot(DAY))
    assert len(mine.merchant_risk) == 8
    assert mine.usual is not None
    assert 0 < mine.usual.month < 1


def test_without_labels_there_are_prices_and_no_shares_of_fraud(
    database_url: str, connection: psycopg.Connection
) -> None:
    record(database_url, connection, replace(a_world(), labels=[]))
    mine = signals_of(connection, DAY)
    assert (mine.usual, mine.merchant_risk, mine.category_risk) == (None, {}, {})
    assert len(mine.merchant_prices) == 8


def test_chargebacks_alone_do_not_make_every_merchant_fraudulent(
    database_url: str, connection: psycopg.Connection
) -> None:
    world = a_world(sources=())
    frauds = [
        t for t in world.transactions if t.merchant_id == "mer-1" and t.occurred_at < MIDNIGHT - timedelta(7)
    ]
    labels = [
        Label(t.transaction_id, "chargeback", Disposition.FRAUD, t.occurred_at + timedelta(7)) for t in frauds
    ]
    record(database_url, connection, replace(world, labels=labels))
    mine = signals_of(connection, DAY)
    assert_same(mine, replace(world, labels=labels).book(MIDNIGHT).snapshot(DAY))
    assert mine.merchant_risk["mer-1"].month > 0.8
    assert mine.merchant_risk["mer-2"].month < 0.1


def test_a_delay_of_labels_is_as_if_they_were_known_later(
    database_url: str, connection: psycopg.Connection
) -> None:
    world = a_world()
    record(database_url, connection, world)
    later = [replace(label, known_at=label.known_at + timedelta(days=14)) for label in world.labels]
    mine = signals_of(connection, DAY, timedelta(days=14))
    assert_same(mine, replace(world, labels=later).book(MIDNIGHT).snapshot(DAY))
    assert mine.merchant_risk != signals_of(connection, DAY).merchant_risk


def test_merchants_with_few_payments_have_no_price(database_url: str, connection: psycopg.Connection) -> None:
    rare = [a_transaction(transaction_id=f"r{n}", merchant_id="rare") for n in range(FEWEST_PRICES - 1)]
    usual = [a_transaction(transaction_id=f"u{n}", merchant_id="usual") for n in range(FEWEST_PRICES)]
    old = [replace(each, transaction_id=f"o{each.transaction_id}", merchant_id="old") for each in usual]
    long_ago = [replace(each, occurred_at=MIDNIGHT - timedelta(days=91)) for each in old]
    record(database_url, connection, World([*long_ago, *rare, *usual], []))
    assert [*signals_of(connection, DAY).merchant_prices] == ["usual"]


def test_recorded_transactions_come_back_in_order_with_what_they_are_taken_for(
    database_url: str, connection: psycopg.Connection
) -> None:
    world = a_world()
    record(database_url, connection, world)
    since, until = NOON + timedelta(days=10), MIDNIGHT
    found = [*recorded(connection, since, until, MIDNIGHT)]
    expected = [each for each in world.transactions if since <= each.occurred_at < until]
    assert [each.transaction for each in found] == expected
    for each in found:
        name = each.transaction.transaction_id
        mine = [x for x in world.labels if x.transaction_id == name and x.known_at < MIDNIGHT]
        assert each.outcome == outcome(counting(mine), each.transaction.occurred_at)


def test_signals_are_the_same_after_a_trip_through_json(connection: psycopg.Connection) -> None:
    signals = Signals(
        "v", {"food": PriceLevel(9, 1.25, 0.1)}, {}, {"m": FraudShare(0.1, 0.2)}, {}, FraudShare(0, 1)
    )
    assert signals_from(json.loads(json.dumps(signals_document(signals)))) == signals
    assert signals_from(signals_document(Signals())) == Signals()


def test_the_newest_day_is_read_back(connection: psycopg.Connection) -> None:
    assert (newest_signals(connection), newest_version(connection)) == (None, None)
    newer, _ = keep_signals(connection, DAY, Signals(usual=FraudShare(0.1, 0.2)))
    keep_signals(connection, DAY - timedelta(days=1), Signals())
    assert newest_signals(connection) == newer
    assert newest_version(connection) == newer.version
    assert newer.version.startswith(f"{DAY}-")


def test_the_same_day_again_changes_nothing_unless_more_is_known(connection: psycopg.Connection) -> None:
    first, kept = keep_signals(connection, DAY, Signals())
    again, changed = keep_signals(connection, DAY, Signals())
    other, replaced = keep_signals(connection, DAY, Signals(usual=FraudShare(0.1, 0.2)))
    assert (first, kept, changed, replaced) == (again, True, False, True)
    assert newest_signals(connection) == other != first
    assert connection.execute("SELECT count(*) FROM signal_snapshots").fetchone() == (1,)


def test_old_snapshots_go(connection: psycopg.Connection) -> None:
    for days in (101, 100, 0):
        keep_signals(connection, DAY - timedelta(days=days), Signals())
    kept = connection.execute("SELECT day FROM signal_snapshots ORDER BY day").fetchall()
    assert kept == [(DAY - timedelta(days=100),), (DAY,)]


@pytest.fixture
def snapshot(database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """`python -m ml snapshot` on the emptied database: exit code, output and errors."""
    monkeypatch.setenv("FRAUDSENSE_DATABASE_URL", database_url)

    def run(*words: str) -> tuple[int, str, str]:
        code = main("python -m ml", "", COMMANDS, ["snapshot", *words])
        return code, *capsys.readouterr()

    return run


def test_the_command_keeps_todays_snapshot_once(connection: psycopg.Connection, snapshot) -> None:
    today = datetime.now(UTC).date()
    runs = [snapshot("--json"), snapshot("--json")]
    told = [json.loads(out) for _, out, _ in runs]
    assert [code for code, _, _ in runs] == [0, 0]
    assert [each["changed"] for each in told] == [True, False]
    assert told[0]["version"] == newest_version(connection)
    assert told[0]["version"].startswith(str(today))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--day", str(date.max)), "has not begun"),
        (("--day", "2020-01-01"), "too long before it"),
        (("--every", "5", "--day", "2020-01-01"), "leave --day out"),
    ],
)
def test_days_without_sense_are_told(connection, snapshot, words: tuple[str, ...], sentence: str) -> None:
    keep_signals(connection, DAY, Signals())
    code, _, told = snapshot(*words)
    assert code == 2
    assert sentence in told


def test_a_database_that_is_away_is_told(monkeypatch, snapshot) -> None:
    monkeypatch.setenv("FRAUDSENSE_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    code, _, told = snapshot()
    assert code == 2
    assert "FRAUDSENSE_DATABASE_URL" in told
