"""Every history store answers what the reference model answers."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis._parsers.base import BaseParser

from shared.domain.errors import HistoryUnavailable
from shared.domain.history import WINDOWS, History, HourTotals
from shared.domain.transaction import Place, Transaction
from shared.feature_store.redis_history import RedisHistory, connect
from shared.feature_store.scripts import KEPT_UNTOUCHED
from shared.ports import HistoryStore
from shared.redis_keys import REFUSAL_BUCKET_SECONDS, REFUSAL_BUCKETS, REFUSALS, account_key
from shared.telemetry.metrics import configure_metrics, render
from shared.testing.history import MemoryHistory
from shared.testing.pasts import MemoryPasts
from tests.builders import NOON, a_transaction
from tests.histories import deliveries

NewStore = Callable[[], HistoryStore]
Refuse = Callable[[str], object]
many_examples = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def client(redis_url: str) -> redis.Redis:
    return connect(redis_url)


@pytest.fixture(params=["memory", "redis"])
def new_store(request: pytest.FixtureRequest) -> NewStore:
    """Make an empty store, again and again."""
    if request.param == "memory":
        return MemoryHistory
    client: redis.Redis = request.getfixturevalue("client")

    def emptied() -> HistoryStore:
        client.flushdb()
        return RedisHistory(client, MemoryPasts())

    return emptied


def answers(store: HistoryStore, sent: list[Transaction], batch: int = 100) -> list[History]:
    """The store's answers, asked in batches."""
    return [h for at in range(0, len(sent), batch) for h in store.observe(sent[at : at + batch])]


@many_examples
@given(sent=deliveries(), batch=st.sampled_from([1, 7, 100]))
def test_any_deliveries_are_answered_as_by_the_model(
    new_store: NewStore, sent: list[Transaction], batch: int
) -> None:
    assert answers(new_store(), sent, batch) == MemoryHistory().observe(sent)


@many_examples
@given(sent=deliveries(), turns=st.lists(st.booleans(), min_size=50, max_size=50))
def test_two_clients_interleaved_on_one_account_see_one_history(
    client: redis.Redis, redis_url: str, sent: list[Transaction], turns: list[bool]
) -> None:
    client.flushdb()
    model = MemoryHistory()
    with connect(redis_url) as other:
        stores = RedisHistory(client, MemoryPasts()), RedisHistory(other, MemoryPasts())
        for transaction, turn in zip(sent, turns, strict=False):
            assert stores[turn].observe([transaction]) == model.observe([transaction])


def test_a_redelivery_after_another_changes_nothing_and_gets_the_same_answer(new_store: NewStore) -> None:
    store = new_store()
    a, b = (
        a_transaction(transaction_id=name, occurred_at=NOON + timedelta(minutes=m)) for m, name in enumerate("ab")
    )
    first = answers(store, [a, b])
    assert answers(store, [a, b, a]) == [*first, first[0]]


def test_equal_times_are_ordered_by_id(new_store: NewStore) -> None:
    store, sent = new_store(), [a_transaction(transaction_id=name) for name in ("b", "B", "a", "_")]
    store.observe(sent)
    assert [each.count_5min for each in store.observe(sent)] == [3, 0, 2, 1]


def test_a_late_event_joins_the_past_of_those_after_it(new_store: NewStore) -> None:
    store = new_store()
    later = a_transaction(transaction_id="later")
    store.observe([later, a_transaction(transaction_id="late", occurred_at=NOON - timedelta(minutes=1))])
    assert store.observe([later])[0].amount_24h == 2500


def test_a_late_event_is_answered_as_of_its_own_time(new_store: NewStore) -> None:
    store = new_store()
    early, late, newest = (
        a_transaction(transaction_id=name, occurred_at=NOON + timedelta(minutes=m), merchant_id=f"at-{name}")
        for m, name in enumerate(["early", "late", "newest"])
    )
    store.observe([newest, early])
    history = store.observe([late])[0]
    assert (history.count_1h, history.amount_24h, history.merchants) == (1, 2500, 1)
    assert history.last_at == early.occurred_at


def test_an_event_older_than_what_is_kept_sees_whole_days_and_leaves_its_merchant(new_store: NewStore) -> None:
    store, first = new_store(), NOON - timedelta(days=6)
    store.observe([a_transaction(transaction_id="first", occurred_at=first)])
    store.observe([a_transaction(transaction_id=f"t{n}") for n in range(WINDOWS.kept_newest)])
    old = a_transaction(transaction_id="old", occurred_at=NOON - timedelta(days=5), merchant_id="old")
    history = store.observe([old])[0]
    assert (history.week.count, history.count_24h, history.last_at) == (1, 0, None)
    [after] = store.observe([a_transaction(transaction_id="z", merchant_id="old")])
    assert (after.knows_merchant, after.week.count) == (True, WINDOWS.kept_newest + 1)


def test_an_event_older_than_what_is_kept_is_counted_as_late(client: redis.Redis) -> None:
    configure_metrics("tests")
    store, before = RedisHistory(client, MemoryPasts()), late_events()
    store.observe([a_transaction(transaction_id=f"t{n}") for n in range(WINDOWS.kept_newest)])
    assert late_events() == before
    store.observe([a_transaction(transaction_id="old", occurred_at=NOON - timedelta(days=5))])
    assert late_events() == before + 1


def late_events() -> float:
    """What the metric shows."""
    lines = render().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("history_late_total"))


def test_currencies_are_counted_together_and_summed_apart(new_store: NewStore) -> None:
    store = new_store()
    dollars = a_transaction(transaction_id="d", occurred_at=NOON - timedelta(hours=2))
    yen = a_transaction(
        transaction_id="y", currency="JPY", amount=Decimal(700), occurred_at=NOON - timedelta(hours=1)
    )
    history = store.observe([dollars, yen, a_transaction(transaction_id="now", currency="JPY")])[2]
    assert (history.count_24h, history.amount_24h, history.week.total) == (2, 700, 700)


def test_the_place_and_time_of_the_last_event_come_back_exactly(new_store: NewStore) -> None:
    place, at = Place(0.1 + 0.2, -179.99999999999997), NOON - timedelta(microseconds=1)
    first = a_transaction(transaction_id="a", place=place, occurred_at=at)
    history = new_store().observe([first, a_transaction(transaction_id="b")])[1]
    assert (history.last_at, history.last_place) == (at, place)


def test_a_long_gap_leaves_the_newest_events(new_store: NewStore) -> None:
    sent = [a_transaction(transaction_id=f"t{n:04}", occurred_at=NOON + timedelta(seconds=n)) for n in range(1200)]
    much_later = [
        a_transaction(transaction_id=f"z{n:02}", occurred_at=NOON + timedelta(days=20, minutes=n))
        for n in range(12)
    ]
    all_of_them = sent + much_later + sent[-3:]
    assert answers(new_store(), all_of_them) == MemoryHistory().observe(all_of_them)


def test_events_delivered_backwards_are_all_counted(new_store: NewStore) -> None:
    sent = [a_transaction(transaction_id=f"t{n:04}", occurred_at=NOON + timedelta(seconds=n)) for n in range(1200)]
    store = new_store()
    answers(store, sent[::-1])
    assert [h.count_24h for h in answers(store, sent)] == list(range(1200))
    assert store.observe([sent[-1]])[0].amount_24h == 1199 * 2500


def test_sums_stay_exact_with_thousands_of_the_largest_amounts(new_store: NewStore) -> None:
    sent = [
        a_transaction(
            transaction_id=f"t{n}",
            amount=Decimal("999999999999.99"),
            occurred_at=NOON - timedelta(seconds=9000 - n),
        )
        for n in range(8000)
    ]
    store = new_store()
    answers(store, sent)
    assert store.observe([a_transaction(transaction_id="now")])[0].amount_24h == 8000 << 40


def test_an_account_with_ten_thousand_transactions_a_day_is_answered_as_by_the_model(new_store: NewStore) -> None:
    sent = [
        a_transaction(
            transaction_id=f"t{n}",
            merchant_category=f"c{n % 7}",
            currency="USD" if n % 3 else "JPY",
            occurred_at=NOON + timedelta(seconds=8 * n - 60 * (n % 50 == 0)),
        )
        for n in range(11_000)
    ]
    assert answers(new_store(), sent, 1000) == MemoryHistory().observe(sent)


def test_hours_are_those_of_whole_days_before_also_where_they_come_late(new_store: NewStore) -> None:
    store = new_store()
    evening, midnight, later_that_day = (
        a_transaction(transaction_id=name, occurred_at=NOON + timedelta(hours=hours))
        for name, hours in {"evening": 6, "midnight": -12, "later": 11}.items()
    )
    [first, same_day] = store.observe([evening, later_that_day])
    assert first.hours == same_day.hours == HourTotals()
    tomorrow = a_transaction(transaction_id="tomorrow", occurred_at=NOON + timedelta(days=1))
    assert store.observe([tomorrow])[0].hours == HourTotals(2, 0 + 966, -1000 - 259)
    store.observe([midnight])
    assert store.observe([tomorrow])[0].hours == HourTotals(3, 0 + 966 + 1000, -1000 - 259)


def test_refusals_are_part_of_the_answer(new_store: NewStore, request: pytest.FixtureRequest) -> None:
    store = new_store()
    if isinstance(store, MemoryHistory):
        store.refusals["acct-1"] = 3
    else:
        refuse(request.getfixturevalue("client"), {0: 3})
    assert [h.recent_refusals for h in store.observe([a_transaction(), a_transaction(account_id="other")])] == [
        3,
        0,
    ]


def refuse(client: redis.Redis, counts: Mapping[int, int]) -> None:
    """So many refusals of acct-1, by how many buckets ago."""
    now = client.time()[0] // REFUSAL_BUCKET_SECONDS
    client.hset(account_key("acct-1", REFUSALS), mapping={now - ago: count for ago, count in counts.items()})


def test_refusals_of_the_last_hour_count_and_older_ones_do_not(client: redis.Redis) -> None:
    store = RedisHistory(client, MemoryPasts())
    refuse(client, {REFUSAL_BUCKETS + 1: 100, REFUSAL_BUCKETS: 50, REFUSAL_BUCKETS - 2: 2, 1: 3})
    assert store.observe([a_transaction()])[0].recent_refusals == 5


def test_refusals_count_by_the_clock_whatever_time_a_transaction_claims(client: redis.Redis) -> None:
    store = RedisHistory(client, MemoryPasts())
    refuse(client, {1: 3})
    long_ago = a_transaction(occurred_at=NOON - timedelta(days=9))
    assert store.observe([long_ago])[0].recent_refusals == 3


def test_an_emptied_script_cache_is_filled_again(client: redis.Redis) -> None:
    store = RedisHistory(client, MemoryPasts())
    store.observe([a_transaction(transaction_id="a", occurred_at=NOON - timedelta(seconds=9))])
    client.script_flush()
    assert store.observe([a_transaction(transaction_id="b")])[0].count_5min == 1


def test_all_keys_of_an_account_are_on_one_node_and_expire(client: redis.Redis) -> None:
    refuse(client, {0: 1})
    client.expire(account_key("acct-1", REFUSALS), 3600)
    RedisHistory(client, MemoryPasts()).observe([a_transaction(place=Place(1, 2), merchant_category="food")])
    keys = [key.decode() for key in client.scan_iter()]
    assert {key.split("}")[0] + "}" for key in keys} == {account_key("acct-1", "")[:-1]}
    lives = sorted(client.ttl(key) for key in keys)
    assert len(lives) == 10
    assert lives[1] > (KEPT_UNTOUCHED - timedelta(minutes=1)).total_seconds()


def test_what_is_kept_of_a_busy_account_is_bounded(client: redis.Redis) -> None:
    store = RedisHistory(client, MemoryPasts())
    for day in range(40):
        at = NOON + timedelta(days=4 * day)
        answers(
            store,
            [
                a_transaction(
                    transaction_id=f"{day}-{n}",
                    merchant_id=f"m{day}-{n}",
                    merchant_category=f"c{day}-{n}",
                    occurred_at=at,
                )
                for n in range(50)
            ],
        )
    account = account_key("acct-1", "")
    assert client.zcard(account + "events") == 50
    assert client.hlen(account + "so_far:USD") == 50
    assert client.hlen(account + "days:USD") <= 10
    assert client.strlen(account + "hours") <= 10 * 24
    assert client.zcard(account + "merchants") == WINDOWS.max_merchants
    assert client.zcard(account + "categories") == WINDOWS.max_categories


def test_two_scorers_at_once_on_one_account_count_everything_once(client: redis.Redis, redis_url: str) -> None:
    sent = [a_transaction(transaction_id=f"t{n:04}", occurred_at=NOON + timedelta(seconds=n)) for n in range(8000)]
    shares = [each for n, each in enumerate(sent) if n % 8 < 5], [each for n, each in enumerate(sent) if n % 8 > 2]

    def observe(share: list[Transaction]) -> None:
        with connect(redis_url) as own:
            answers(RedisHistory(own, MemoryPasts()), share)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(observe, shares))
    history = RedisHistory(client, MemoryPasts()).observe([a_transaction(occurred_at=NOON + timedelta(hours=3))])[
        0
    ]
    assert sum(map(len, shares)) == 10_000
    assert (history.count_24h, history.amount_24h, history.week.count) == (8000, 8000 * 2500, 8000)


def test_redis_away_is_said_in_time() -> None:
    store = RedisHistory(connect("redis://127.0.0.1:1"), MemoryPasts())
    with pytest.raises(HistoryUnavailable):
        store.observe([a_transaction()])
    with pytest.raises(HistoryUnavailable):
        store.check()


def test_memory_away_is_said() -> None:
    store = MemoryHistory()
    store.away = True
    with pytest.raises(HistoryUnavailable):
        store.observe([a_transaction()])


class RefusingServer:
    """A client whose server answers every call with one error reply, as redis-py reads it."""

    def __init__(self, reply: str) -> None:
        self._error = BaseParser.parse_error(reply)

    def pipeline(self, **_: bool) -> "RefusingServer":
        return self

    def __enter__(self) -> "RefusingServer":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute_command(self, *_: object) -> None:
        pass

    def script_load(self, _: str) -> None:
        pass

    def execute(self, **_: bool) -> list[Exception]:
        return [self._error]

    def set(self, *_: object, **__: object) -> None:
        raise self._error


@pytest.mark.parametrize(
    "reply",
    [
        "OOM command not allowed when used memory > 'maxmemory'. script: f1c2, on @user_script:93.",
        "ERR Error running script (call to f_1c2): @user_script:93: -OOM command not allowed",
        "READONLY You can't write against a read only replica. script: f1c2, on @user_script:93.",
        "LOADING Redis is loading the dataset in memory",
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "CLUSTERDOWN Hash slot not served",
        "NOREPLICAS Not enough good replicas to write.",
        "BUSY Redis is busy running a script.",
        "ERR max number of clients reached",
        "NOAUTH Authentication required.",
        "WRONGPASS invalid username-password pair or user is disabled.",
        "NOPERM this user has no permissions to run the 'evalsha' command",
        "NOPERM ACL failure in script: No permissions to access a key script: f1c2, on @user_script:93.",
        "NOSCRIPT No matching script. Please use EVAL.",
        "UNKILLABLE Sorry the script already executed write commands against the dataset.",
        "MOVED 3999 127.0.0.1:6381",
        "DENIED Redis is running in protected mode.",
        "ERR unknown command 'EVALSHA', with args beginning with: 'f1c2'",
    ],
)
def test_a_redis_that_refuses_for_now_counts_as_away(reply: str) -> None:
    with pytest.raises(HistoryUnavailable):
        RedisHistory(RefusingServer(reply), MemoryPasts()).observe([a_transaction()])


@pytest.mark.parametrize(
    "reply",
    [
        "OOM command not allowed when used memory > 'maxmemory'.",
        "READONLY You can't write against a read only replica.",
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
    ],
)
def test_a_redis_that_takes_no_writes_does_not_pass_for_healthy(reply: str) -> None:
    with pytest.raises(HistoryUnavailable):
        RedisHistory(RefusingServer(reply), MemoryPasts()).check()


def test_a_redis_that_takes_writes_is_healthy(client: redis.Redis) -> None:
    RedisHistory(client, MemoryPasts()).check()
    assert [client.ttl(key) for key in client.scan_iter()] == [60]


@pytest.mark.parametrize("allowed", ["+@all -evalsha ~*", "+@all -zadd ~*", "+@all ~other:*"])
def test_a_missing_permission_is_not_blamed_on_the_transaction(
    client: redis.Redis, redis_url: str, allowed: str
) -> None:
    user = f"user-{uuid4()}"
    client.execute_command("ACL", "SETUSER", user, "on", ">secret", *allowed.split())
    try:
        limited = RedisHistory(connect(redis_url.replace("://", f"://{user}:secret@")), MemoryPasts())
        with pytest.raises(HistoryUnavailable):
            limited.observe([a_transaction()])
    finally:
        client.execute_command("ACL", "DELUSER", user)


def test_a_database_that_redis_does_not_have_is_not_blamed_on_the_transaction(redis_url: str) -> None:
    with connect(redis_url.rsplit("/", 1)[0] + "/99999") as client, pytest.raises(HistoryUnavailable):
        RedisHistory(client, MemoryPasts()).observe([a_transaction()])


def test_a_fault_in_the_script_is_not_taken_for_redis_being_away(client: redis.Redis) -> None:
    history = RedisHistory(client, MemoryPasts())
    history.observe([a_transaction()])
    client.set(account_key("acct-1", "events"), "not a sorted set")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        history.observe([a_transaction()])


@pytest.mark.parametrize("newest", [WINDOWS.kept_newest - 1, WINDOWS.kept_newest])
def test_an_event_older_than_what_is_kept_is_not_counted(new_store: NewStore, newest: int) -> None:
    store = new_store()
    at = NOON + timedelta(days=5)
    store.observe([a_transaction(transaction_id=f"t{n}", occurred_at=at) for n in range(newest)])
    store.observe([a_transaction(transaction_id="old")])
    history = store.observe([a_transaction(transaction_id="now", occurred_at=at + timedelta(hours=1))])[0]
    assert history.week.count == newest + (newest < WINDOWS.kept_newest)
