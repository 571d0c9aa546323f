"""A history that comes from the books, in memory or in PostgreSQL, goes on as if it had never been lost."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from itertools import count, islice
from math import inf
from threading import Barrier
from time import monotonic
from uuid import uuid4

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.database.past import PostgresPasts
from shared.database.recorder import PostgresRecorder
from shared.domain.decision import RejectedMessage
from shared.domain.errors import DatabaseUnavailable, HistoryUnavailable
from shared.domain.history import WINDOWS, AccountPast
from shared.domain.transaction import Place, Transaction
from shared.feature_store.rebuild import Lack, Rebuilt, find_unknown, load
from shared.feature_store.rebuild import replace as replace_histories
from shared.feature_store.redis_history import LONGEST_LOAD, RedisHistory, connect
from shared.feature_store.scripts import KEPT_UNTOUCHED
from shared.ports import AccountPasts, DecisionRecorder
from shared.redis_keys import KNOWN, account_key
from shared.testing.history import MemoryHistory
from shared.testing.pasts import MemoryPasts
from shared.testing.recorder import MemoryRecorder
from tests.builders import NOON, a_scored_transaction, a_transaction
from tests.histories import deliveries

some_examples = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
numbers = count()


@dataclass
class Books:
    """The books of one test, and what they tell of accounts."""

    recorder: DecisionRecorder
    pasts: AccountPasts

    def record(self, transactions: Sequence[Transaction]) -> None:
        """One after the other, as they arrived."""
        for each in transactions:
            scored = a_scored_transaction(each.transaction_id)
            self.recorder.record([replace(scored, transaction=each)], [])


@pytest.fixture(params=["memory", "postgres"])
def books(request: pytest.FixtureRequest) -> Iterator[Books]:
    if request.param == "memory":
        recorder = MemoryRecorder()
        yield Books(recorder, MemoryPasts(recorder))
        return
    url = request.getfixturevalue("database_url")
    with closing(PostgresRecorder(url)) as postgres, closing(PostgresPasts(url)) as pasts:
        yield Books(postgres, pasts)


@pytest.fixture
def client(redis_url: str) -> redis.Redis:
    return connect(redis_url)


def of_one_account(sent: Sequence[Transaction], account_id: str) -> list[Transaction]:
    """The same deliveries to this account alone, every id always with its first content."""
    firsts: dict[str, Transaction] = {}
    for each in sent:
        name = f"{account_id}-{each.transaction_id}"
        firsts.setdefault(each.transaction_id, replace(each, transaction_id=name, account_id=account_id))
    return [firsts[each.transaction_id] for each in sent]


def some_transactions(number: int, **changes: object) -> list[Transaction]:
    """One a minute of an account of this test's own."""
    account_id = f"a-{uuid4()}"
    return [
        a_transaction(
            transaction_id=f"{account_id}-{n:04}",
            account_id=account_id,
            occurred_at=NOON + timedelta(minutes=n),
            **changes,
        )
        for n in range(number)
    ]


def read_up(pasts: AccountPasts, account_ids: Sequence[str], until: float) -> list[tuple[str, AccountPast]]:
    """All that the books hold of these accounts, whatever its size."""
    told = pasts.load(account_ids, until=until)
    return [(name, replace(past, transactions=[*past.transactions])) for name, past in told]


def as_of_layout_1(client: redis.Redis, account_id: str) -> None:
    """The account as a scorer of the version before left it."""
    client.delete(account_key(account_id, "categories"), account_key(account_id, "hours"))
    client.set(account_key(account_id, KNOWN), 1)


def emptied(client: redis.Redis, _account_id: str) -> None:
    client.flushdb()


@pytest.mark.parametrize("lose", [emptied, as_of_layout_1])
@some_examples
@given(sent=deliveries(), cut=st.integers(0, 30))
def test_every_answer_after_a_loss_is_that_of_an_undisturbed_history(
    books: Books,
    client: redis.Redis,
    lose: Callable[[redis.Redis, str], None],
    sent: list[Transaction],
    cut: int,
) -> None:
    sent = of_one_account(sent, f"{uuid4()}-{next(numbers)}")
    history, undisturbed = RedisHistory(client, books.pasts), MemoryHistory()
    before, after = sent[:cut], sent[cut:]
    assert history.observe(before) == undisturbed.observe(before)
    books.record(before)
    lose(client, sent[0].account_id)
    assert history.observe(after + before) == undisturbed.observe(after + before)


def test_an_account_without_a_past_starts_empty_and_is_asked_for_once(books: Books, client: redis.Redis) -> None:
    asked = CountingPasts(books.pasts)
    history, sent = RedisHistory(client, asked), [*some_transactions(2), *some_transactions(1)]
    assert [each.count_1h for each in history.observe(sent)] == [0, 1, 0]
    history.observe(sent)
    assert asked.times == 1


@dataclass
class CountingPasts:
    """Pasts that count how often they are asked."""

    pasts: AccountPasts
    times: int = 0

    def load(self, account_ids, *, until):
        self.times += 1
        return self.pasts.load(account_ids, until=until)


def test_a_redelivery_that_was_recorded_before_redis_was_emptied_is_not_counted_again(
    books: Books, client: redis.Redis
) -> None:
    sent = some_transactions(3)
    books.record(sent)
    again = RedisHistory(client, books.pasts).observe([sent[2], sent[0], sent[2]])
    assert [each.count_1h for each in again] == [2, 0, 2]


def test_amounts_times_and_places_come_back_exactly(books: Books, client: redis.Redis) -> None:
    [first, second] = some_transactions(2, currency="KWD", amount=Decimal("0.0125"))
    place, at = Place(0.1 + 0.2, -179.99999999999997), NOON - timedelta(microseconds=1)
    books.record([replace(first, place=place, occurred_at=at)])
    history = RedisHistory(client, books.pasts).observe([second])[0]
    assert (history.last_at, history.last_place, history.amount_24h) == (at, place, 12)


def test_a_rarely_used_card_keeps_its_ten_newest_and_its_merchants(books: Books, client: redis.Redis) -> None:
    years = [
        replace(each, occurred_at=NOON - timedelta(days=100 * n), merchant_id=f"m{n}")
        for n, each in enumerate(some_transactions(15))
    ]
    books.record(years[:0:-1])
    history = RedisHistory(client, books.pasts).observe([years[0]])[0]
    assert (history.last_at, history.merchants) == (NOON - timedelta(days=100), 14)
    assert client.zcard(account_key(years[0].account_id, "events")) == WINDOWS.kept_newest + 1


def test_merchants_beyond_the_limit_are_those_that_came_last(books: Books, client: redis.Redis) -> None:
    busy = [
        replace(each, merchant_id=f"m{n}") for n, each in enumerate(some_transactions(WINDOWS.max_merchants + 2))
    ]
    books.recorder.record(
        [replace(a_scored_transaction(each.transaction_id), transaction=each) for each in busy], []
    )
    later = replace(busy[0], transaction_id=f"t-{uuid4()}", occurred_at=busy[-1].occurred_at + timedelta(hours=1))
    asked = [
        replace(later, transaction_id=f"{later.transaction_id}-{n}", merchant_id=f"m{n}")
        for n in (0, WINDOWS.max_merchants - 1, WINDOWS.max_merchants)
    ]
    answers = RedisHistory(client, books.pasts).observe(asked)
    assert [each.knows_merchant for each in answers] == [True, True, False]
    assert answers[0].merchants == WINDOWS.max_merchants


def test_keys_from_before_there_was_a_marker_are_replaced(books: Books, client: redis.Redis) -> None:
    sent = some_transactions(3)
    yen = [replace(each, transaction_id=f"{each.transaction_id}-y", currency="JPY") for each in sent]
    history = RedisHistory(client, books.pasts)
    history.observe(sent + yen)
    client.delete(account_key(sent[0].account_id, KNOWN))
    books.record(sent)
    last = replace(yen[0], transaction_id=f"{uuid4()}", occurred_at=NOON + timedelta(minutes=9))
    assert [(h.count_1h, h.week.count) for h in history.observe([sent[2], last])] == [(2, 2), (3, 0)]


def test_all_keys_of_a_loaded_account_expire(books: Books, client: redis.Redis) -> None:
    sent = some_transactions(3, place=Place(1, 2), merchant_category="food")
    books.record(sent)
    load(client, books.pasts, {sent[0].account_id: Lack.EVERYTHING})
    lives = [client.ttl(key) for key in client.scan_iter()]
    assert len(lives) == 9
    assert min(lives) > (KEPT_UNTOUCHED - timedelta(minutes=1)).total_seconds()


@dataclass
class WaitingPasts:
    """Pasts that hold their answer back until both of two came for one."""

    pasts: AccountPasts
    both: Barrier

    def load(self, account_ids, *, until):
        read = read_up(self.pasts, account_ids, until)
        self.both.wait(timeout=10)
        yield from read


def test_of_two_scorers_that_load_an_account_at_once_neither_undoes_the_other(
    books: Books, client: redis.Redis, redis_url: str
) -> None:
    sent = some_transactions(8)
    books.record(sent[:5])
    both = Barrier(2)

    def observe(each: Transaction) -> None:
        with connect(redis_url) as own:
            RedisHistory(own, WaitingPasts(books.pasts, both)).observe([each])

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(observe, sent[5:7]))
    assert RedisHistory(client, books.pasts).observe(sent[7:])[0].count_1h == 7


def test_who_loads_late_does_not_overwrite_what_was_observed_meanwhile(books: Books, client: redis.Redis) -> None:
    sent = some_transactions(3)
    books.record(sent[:1])

    class EarlyPasts(MemoryPasts):
        def load(self, account_ids, *, until):
            read = read_up(books.pasts, account_ids, until)
            RedisHistory(client, books.pasts).observe([sent[1]])
            yield from read

    rebuilt = load(client, EarlyPasts(), {sent[0].account_id: Lack.EVERYTHING})
    assert rebuilt == Rebuilt(left=(sent[0].account_id,))
    assert RedisHistory(client, books.pasts).observe([sent[2]])[0].count_1h == 2


def test_books_that_are_away_are_said_to_be_and_nothing_is_counted(client: redis.Redis) -> None:
    sent = some_transactions(1)
    with pytest.raises(DatabaseUnavailable):
        RedisHistory(client, PostgresPasts("postgresql://127.0.0.1:1/none")).observe(sent)
    with pytest.raises(DatabaseUnavailable):
        RedisHistory(client, MemoryPasts(MemoryRecorder(away=True))).observe(sent)
    assert client.dbsize() == 0


def test_an_account_lost_again_while_it_was_loaded_is_not_scored_without_its_past(client: redis.Redis) -> None:
    [sent] = some_transactions(1)
    marker = account_key(sent.account_id, KNOWN)

    class LosingClient(redis.Redis):
        """The marker is gone whenever somebody comes to ask."""

        def pipeline(self, *arguments, **named):
            client.delete(marker)
            return client.pipeline(*arguments, **named)

    with pytest.raises(HistoryUnavailable):
        RedisHistory(LosingClient(), MemoryPasts()).observe([sent])


def test_what_is_neither_recorded_nor_rejected_is_unsettled(books: Books) -> None:
    [recorded, rejected, unsettled] = some_transactions(3)
    books.record([recorded])
    refused = RejectedMessage("scoring_failed", "why", rejected.transaction_id.encode(), rejected.transaction_id)
    books.recorder.record([], [refused])
    ids = [each.transaction_id for each in (recorded, rejected, unsettled)]
    assert books.pasts.unsettled(ids) == {unsettled.transaction_id}


def test_replacing_takes_the_books_for_the_truth(books: Books, client: redis.Redis) -> None:
    sent = some_transactions(4)
    history = RedisHistory(client, books.pasts)
    history.observe(sent[:3])
    books.record(sent[:3])
    client.zrem(account_key(sent[0].account_id, "events"), sent[1].transaction_id)
    assert replace_histories(client, books.pasts, [sent[0].account_id]) == Rebuilt(1, 3)
    assert history.observe([sent[3]])[0].count_1h == 3


def test_an_account_with_an_event_that_is_not_recorded_yet_is_not_replaced(
    books: Books, client: redis.Redis
) -> None:
    sent = some_transactions(3)
    account_id, history = sent[0].account_id, RedisHistory(client, books.pasts)
    history.observe(sent[:2])
    books.record(sent[:1])
    assert replace_histories(client, books.pasts, [account_id]) == Rebuilt(left=(account_id,))
    assert history.observe([sent[2]])[0].count_1h == 2


def test_an_account_that_is_observed_while_it_is_replaced_is_left(books: Books, client: redis.Redis) -> None:
    sent = some_transactions(3)
    account_id, history = sent[0].account_id, RedisHistory(client, books.pasts)
    books.record(sent[:1])
    history.observe(sent[:1])

    class InterruptedPasts(MemoryPasts):
        unsettled = books.pasts.unsettled

        def load(self, account_ids, *, until):
            read = read_up(books.pasts, account_ids, until)
            history.observe([sent[1]])
            yield from read

    assert replace_histories(client, InterruptedPasts(), [account_id]) == Rebuilt(left=(account_id,))
    assert history.observe([sent[2]])[0].count_1h == 2


def test_what_was_read_before_the_deadline_is_kept_and_the_next_attempt_reads_the_rest(
    books: Books, client: redis.Redis
) -> None:
    sent = [each for _ in range(5) for each in some_transactions(2)]
    books.record(sent)
    accounts = list(dict.fromkeys(each.account_id for each in sent))

    class InterruptedPasts(MemoryPasts):
        def load(self, account_ids, *, until):
            yield from islice(books.pasts.load(account_ids, until=until), 3)
            raise DatabaseUnavailable("The deadline has passed.")

    with pytest.raises(DatabaseUnavailable):
        load(client, InterruptedPasts(), find_unknown(client, accounts))
    left = find_unknown(client, accounts)
    assert list(left) == accounts[3:]
    assert load(client, books.pasts, left) == Rebuilt(2, 4)


def test_nothing_is_read_past_the_deadline(books: Books) -> None:
    with pytest.raises(DatabaseUnavailable):
        read_up(books.pasts, ["a"], until=monotonic() - 1)


def test_an_observation_reads_for_a_bounded_time(client: redis.Redis) -> None:
    left: list[float] = []

    class AskedPasts(MemoryPasts):
        def load(self, account_ids, *, until):
            left.append(until - monotonic())
            yield from super().load(account_ids, until=until)

    RedisHistory(client, AskedPasts()).observe(some_transactions(1))
    assert 0 < left[0] <= LONGEST_LOAD.total_seconds()


def test_a_reader_that_stops_before_the_end_leaves_the_books_readable(books: Books) -> None:
    [sent] = some_transactions(1)
    books.record([sent])
    with closing(books.pasts.load([sent.account_id, "b"], until=inf)) as told:
        next(told)
    assert len(read_up(books.pasts, ["b", sent.account_id], until=inf)) == 2


def test_unknown_accounts_are_found_with_what_they_lack(books: Books, client: redis.Redis) -> None:
    [known], [old], [older], [new] = (some_transactions(1) for _ in range(4))
    RedisHistory(client, books.pasts).observe([known, old, older])
    client.delete(account_key(old.account_id, KNOWN))
    as_of_layout_1(client, older.account_id)
    assert find_unknown(client, [each.account_id for each in (known, old, older, new)]) == {
        old.account_id: Lack.MARKER,
        older.account_id: Lack.ADDED_PARTS,
        new.account_id: Lack.EVERYTHING,
    }


def test_completing_an_older_layout_keeps_what_is_not_in_the_books_yet(books: Books, client: redis.Redis) -> None:
    sent = some_transactions(3, merchant_category="food")
    history = RedisHistory(client, books.pasts)
    history.observe(sent[:2])
    books.record(sent[:1])
    as_of_layout_1(client, sent[0].account_id)
    [after] = history.observe(sent[2:])
    assert (after.count_1h, after.amount_24h, after.knows_category) == (2, 5000, True)


def test_of_an_older_layout_that_is_gone_meanwhile_nothing_is_added(books: Books, client: redis.Redis) -> None:
    sent = some_transactions(3)
    books.record(sent)
    account_id = sent[0].account_id
    assert load(client, books.pasts, {account_id: Lack.ADDED_PARTS}) == Rebuilt(left=(account_id,))
    assert RedisHistory(client, books.pasts).observe(sent)[2].count_1h == 2
