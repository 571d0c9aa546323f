"""Daily signals while a file is replayed: only what was known before the day."""

from datetime import date, timedelta
from decimal import Decimal
from math import log
from random import Random

import pytest

from ml.signals import SignalBook
from shared.domain.signals import FraudShare, PriceLevel, Signals, fraud_share
from shared.domain.transaction import Transaction
from tests.builders import a_transaction

DAY = a_transaction().occurred_at.date()


def on(day: int, **changes: object) -> Transaction:
    occurred_at = a_transaction().occurred_at + timedelta(days=day)
    return a_transaction(occurred_at=occurred_at, transaction_id=f"txn-{day}", **changes)


def after(days: int) -> date:
    return DAY + timedelta(days=days)


def test_without_a_past_nothing_is_known() -> None:
    assert SignalBook().snapshot(DAY) == Signals(version=DAY.isoformat())


def test_prices_are_those_of_all_days_before() -> None:
    book = SignalBook()
    for day, amount in enumerate((10, 20, 40)):
        book.add(on(day, amount=Decimal(amount), merchant_id="mer-1", merchant_category="food"))

    level = book.snapshot(after(3)).merchant_prices["mer-1"]

    assert level.count == 3
    assert level.log_mean == pytest.approx(log(20))
    assert level.log_spread == pytest.approx((2 / 3) ** 0.5 * log(2))
    assert book.snapshot(after(3)).category_prices == {"food": level}


def test_prices_are_forgotten_after_their_window() -> None:
    book = SignalBook()
    for day in (0, 1):
        book.add(on(day, merchant_id="mer-1"))

    assert book.snapshot(after(90)).merchant_prices["mer-1"].count == 2
    assert book.snapshot(after(91)).merchant_prices["mer-1"].count == 1
    assert book.snapshot(after(92)).merchant_prices == {}


def test_prices_of_all_currencies_are_compared_in_dollars() -> None:
    book = SignalBook()
    book.add(on(0, amount=Decimal(1500), currency="JPY", merchant_id="mer-1"))

    assert book.snapshot(after(1)).merchant_prices["mer-1"] == PriceLevel(1, log(10), 0.0)


def test_a_snapshot_stays_what_it_was() -> None:
    book = SignalBook()
    book.add(on(0, merchant_id="mer-1"))
    first = book.snapshot(after(1))
    book.add(on(1, merchant_id="mer-2"))
    book.snapshot(after(2))

    assert set(first.merchant_prices) == {"mer-1"}


def test_a_label_shows_from_the_day_after_it_became_known() -> None:
    book = SignalBook()
    book.know(on(0, merchant_id="mer-1", merchant_category="food"), True, after(7))

    assert book.snapshot(after(7)).usual is None
    known = book.snapshot(after(8))
    assert known.merchant_risk == {"mer-1": FraudShare(1, 1)}
    assert known.category_risk == {"food": FraudShare(1, 1)}


def test_labels_leave_the_week_and_the_month() -> None:
    book = SignalBook()
    book.know(on(0, merchant_id="mer-1"), True, DAY)
    book.know(on(0, merchant_id="mer-2"), False, DAY)

    week, month = book.snapshot(after(7)), book.snapshot(after(30))

    assert week.merchant_risk["mer-1"].week == fraud_share(1, 1, fraud_share(1, 2, 0.5))
    assert month.merchant_risk["mer-1"] == FraudShare(0.5, fraud_share(1, 1, 0.5))
    assert book.snapshot(after(31)).merchant_risk == {}


def test_it_agrees_with_counting_anew() -> None:
    book, chance, told = SignalBook(), Random(7), []
    for day in range(60):
        for _ in range(chance.randrange(4)):
            label = (
                on(day, merchant_id=f"mer-{chance.randrange(3)}"),
                chance.random() < 0.3,
                day + chance.randrange(9),
            )
            told.append(label)
            book.know(label[0], label[1], after(label[2]))
        if chance.random() < 0.8:
            assert month_counts(book.snapshot(after(day + 1))) == pytest.approx(expected(told, day + 1))


def month_counts(signals: Signals) -> dict[str, float]:
    return {merchant: share.month for merchant, share in signals.merchant_risk.items()}


def expected(told: list[tuple[Transaction, bool, int]], day: int) -> dict[str, float]:
    known = [(t.merchant_id, fraud) for t, fraud, told_on in told if day - 30 <= told_on < day]
    usual = sum(fraud for _, fraud in known) / max(1, len(known))
    counts = {merchant: [fraud for at, fraud in known if at == merchant] for merchant, _ in known}
    return {merchant: fraud_share(sum(each), len(each), usual) for merchant, each in counts.items()}


def test_days_do_not_go_back() -> None:
    book = SignalBook()
    book.add(on(1))

    with pytest.raises(ValueError, match="cannot leave out"):
        book.snapshot(after(1))


def test_a_label_does_not_change_a_snapshot_that_was_taken() -> None:
    book = SignalBook()
    book.snapshot(after(5))

    with pytest.raises(ValueError, match="too late"):
        book.know(on(0), True, after(4))
