"""The fast reference model answers what the definitions say."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings

from shared.domain.account_history import AccountHistories
from shared.domain.history import (
    CLOCK_SCALE,
    MAX_AMOUNT_MINOR,
    WINDOWS,
    AmountTotals,
    History,
    counted_instant,
    log_amount,
)
from shared.domain.transaction import Transaction
from tests.builders import NOON, a_transaction
from tests.histories import PlainHistory, deliveries


@settings(max_examples=300, deadline=None)
@given(deliveries())
def test_the_model_answers_what_the_definitions_say(sent: list[Transaction]) -> None:
    model, plain = AccountHistories(), PlainHistory()
    for transaction in sent:
        assert model.observe(transaction) == plain.observe(transaction)


def test_a_first_transaction_has_no_past() -> None:
    assert AccountHistories().observe(a_transaction()) == History()


def test_windows_end_before_the_transaction_and_leave_out_what_is_exactly_their_width_ago() -> None:
    histories = AccountHistories()
    for name, ago in {"a": timedelta(hours=1), "b": timedelta(minutes=5), "c": timedelta(seconds=299)}.items():
        histories.observe(a_transaction(transaction_id=name, occurred_at=NOON - ago))
    history = histories.observe(a_transaction(transaction_id="d"))
    assert (history.count_5min, history.count_1h, history.count_24h) == (1, 2, 3)


def test_a_month_holds_twenty_nine_whole_days_and_the_day_itself() -> None:
    histories = AccountHistories()
    midnight = datetime(2026, 1, 31, tzinfo=UTC)
    for name, at in {
        "out": midnight - timedelta(days=29, microseconds=1),
        "month": midnight - timedelta(days=29),
        "week": midnight - timedelta(days=6),
        "today": midnight,
    }.items():
        histories.observe(a_transaction(transaction_id=name, amount=Decimal(1), occurred_at=at))
    history = histories.observe(a_transaction(transaction_id="now", occurred_at=midnight + timedelta(hours=1)))
    assert history.week == AmountTotals(2, 200, 2 * 4605, 2 * 4605**2)
    assert history.month.count == 3


def test_a_redelivery_after_trimming_counts_nothing_again() -> None:
    histories = AccountHistories()
    first = a_transaction(transaction_id="first")
    histories.observe(first)
    for n in range(12):
        histories.observe(a_transaction(transaction_id=f"t{n}", occurred_at=NOON + timedelta(days=5, minutes=n)))
    histories.observe(first)
    history = histories.observe(a_transaction(transaction_id="z", occurred_at=NOON + timedelta(days=5, hours=2)))
    assert history.week.count == 13


def test_merchants_beyond_the_limit_are_not_remembered() -> None:
    histories = AccountHistories()
    for n in range(WINDOWS.max_merchants + 1):
        at = NOON + timedelta(seconds=n)
        histories.observe(a_transaction(transaction_id=f"t{n}", merchant_id=f"m{n}", occurred_at=at))
    later = NOON + timedelta(hours=1)
    history = histories.observe(
        a_transaction(transaction_id="z", merchant_id=f"m{WINDOWS.max_merchants}", occurred_at=later)
    )
    assert (history.merchants, history.knows_merchant) == (WINDOWS.max_merchants, False)


def test_categories_beyond_the_limit_are_not_remembered() -> None:
    histories = AccountHistories()
    for n in range(WINDOWS.max_categories + 1):
        at = NOON + timedelta(seconds=n)
        histories.observe(a_transaction(transaction_id=f"t{n}", merchant_category=f"c{n}", occurred_at=at))
    later = a_transaction(
        transaction_id="z", merchant_category=f"c{WINDOWS.max_categories}", occurred_at=NOON + timedelta(hours=1)
    )
    history = histories.observe(later)
    assert (history.categories, history.knows_category) == (WINDOWS.max_categories, False)


def test_sums_of_the_largest_account_are_exact_in_doubles() -> None:
    month_of_attack = 10_000 * WINDOWS.month_days
    assert 8192 * MAX_AMOUNT_MINOR <= 2**53
    assert month_of_attack * log_amount(MAX_AMOUNT_MINOR) ** 2 < 2**53
    assert month_of_attack * CLOCK_SCALE < 2**53
    assert counted_instant(datetime.max.replace(tzinfo=UTC)) // WINDOWS.day < 2**32
    # One transaction of ten million dollars every nine seconds for a month.
    assert month_of_attack * 10**9 < 2**53


def test_times_before_1970_count_as_of_1970() -> None:
    histories = AccountHistories()
    ancient = datetime(1, 1, 1, tzinfo=UTC)
    histories.observe(a_transaction(transaction_id="a", occurred_at=ancient))
    history = histories.observe(a_transaction(transaction_id="b", occurred_at=ancient + timedelta(days=9)))
    assert history.last_at == datetime(1970, 1, 1, tzinfo=UTC)
