"""One batch through score, over ports in memory."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
import redis

from functions.score.fault import InjectedFault, Step, fault
from shared.domain.decision import Decision, RejectedMessage, RiskLabel, ScoredTransaction
from shared.domain.errors import DatabaseUnavailable, HistoryUnavailable
from shared.domain.history import History
from shared.domain.transaction import Transaction
from shared.ports import Recorded
from shared.testing.history import MemoryHistory
from shared.testing.recorder import MemoryRecorder
from tests.builders import a_posted_transaction
from tests.scoring import NOW, Bench, StubScorer, an_envelope, posted_in_a_row

GARBAGE = b"\xff\x00 not an envelope"


def amounts(scored: Iterable[ScoredTransaction]) -> dict[str, Decimal]:
    """Amount by transaction id."""
    return {each.transaction.transaction_id: each.transaction.amount for each in scored}


def test_a_transaction_is_recorded_with_its_decision() -> None:
    bench = Bench()
    outcome = bench.score(an_envelope(a_posted_transaction(transaction_id="t", amount="25.00")))
    recorded = bench.recorder.recorded["t"]
    assert recorded.decision.label is RiskLabel.LOW
    assert recorded.transaction.account_id == "acct-1"
    assert b'"amount":"25"' in recorded.payload
    assert (outcome.recorded_at, outcome.announced, outcome.poison) == (NOW, (), [0])


def test_a_high_risk_is_announced_once_and_marked() -> None:
    bench = Bench()
    outcome = bench.score(an_envelope(a_posted_transaction(transaction_id="t", amount=5000)))
    assert [alert.transaction_id for alert in bench.announcer.announced] == ["t"]
    assert list(outcome.announced) == bench.announcer.announced
    assert bench.recorder.unannounced(["t"]) == []


def test_a_redelivered_message_changes_nothing() -> None:
    bench = Bench()
    message = an_envelope(*posted_in_a_row(3, amount=5000))
    bench.score(message)
    recorded, first_histories = dict(bench.recorder.recorded), list(bench.scorer.seen)
    bench.score(message)
    assert bench.recorder.recorded == recorded
    assert bench.scorer.seen[3:] == first_histories
    assert len(bench.announcer.announced) == 3
    assert bench.recorder.rejected == {}


def test_transactions_of_one_batch_see_those_before_them() -> None:
    bench = Bench()
    bench.score(an_envelope(*posted_in_a_row(2)), an_envelope(a_posted_transaction(transaction_id="t2")))
    assert [history.count_5min for history in bench.scorer.seen] == [0, 1, 2]


def test_poison_next_to_good_messages_is_quarantined_whole() -> None:
    bench = Bench()
    outcome = bench.score(an_envelope(*posted_in_a_row(2)), GARBAGE)
    assert set(bench.recorder.recorded) == {"t0", "t1"}
    assert [(each.reason, each.body) for each in outcome.books.rejected] == [("unreadable", GARBAGE)]
    assert outcome.poison == [0, 1]


def test_each_message_has_a_share_of_poison_of_its_own() -> None:
    bad = a_posted_transaction(transaction_id="bad", currency="QQQ")
    bench = Bench(scorer=StubScorer("t0", "t3"))
    outcome = bench.score(an_envelope(*posted_in_a_row(4)), an_envelope(*posted_in_a_row(1), bad), GARBAGE)
    assert outcome.poison == [0.5, 1, 1]


def test_an_invalid_item_is_quarantined_under_its_id() -> None:
    bench = Bench()
    bench.score(an_envelope(*posted_in_a_row(1), a_posted_transaction(transaction_id="bad", currency="QQQ")))
    assert set(bench.recorder.recorded) == {"t0"}
    assert bench.rejections == {"bad": "unknown_currency"}


def test_one_item_of_a_hundred_that_makes_a_rule_raise_is_quarantined_alone() -> None:
    bench = Bench(scorer=StubScorer("t41"))
    outcome = bench.score(an_envelope(*posted_in_a_row(100)))
    assert len(bench.recorder.recorded) == 99
    assert bench.rejections == {"t41": "scoring_failed"}
    assert [type(error).__name__ for _, error in outcome.failures] == ["UnevenRule"]


def test_an_item_for_which_the_model_answers_no_number_is_quarantined_alone() -> None:
    class Uneven(StubScorer):
        def decide(self, transactions: Sequence[Transaction], histories: Sequence[History]) -> list[Decision]:
            quiet = super().decide(transactions, histories)
            nans = [each.transaction_id == "t7" for each in transactions]
            return [replace(each, anomaly=math.nan if nan else 0.5) for each, nan in zip(quiet, nans, strict=True)]

    bench = Bench(scorer=Uneven())
    bench.score(an_envelope(*posted_in_a_row(20)))
    assert len(bench.recorder.recorded) == 19
    assert bench.rejections == {"t7": "scoring_failed"}


def test_an_item_that_makes_the_history_raise_is_quarantined_alone() -> None:
    class Uneven(MemoryHistory):
        def observe(self, transactions: Sequence[Transaction]) -> list[History]:
            if any(each.transaction_id == "t7" for each in transactions):
                raise redis.ResponseError("user_script:1: attempt to compare nil with number")
            return super().observe(transactions)

    bench = Bench(history=Uneven())
    bench.score(an_envelope(*posted_in_a_row(20)))
    assert len(bench.recorder.recorded) == 19
    assert bench.rejections == {"t7": "scoring_failed"}


def test_only_what_is_recorded_for_the_first_time_counts_as_new() -> None:
    bench, batch = Bench(), an_envelope(*posted_in_a_row(3))
    assert amounts(bench.score(batch).books.new) == {"t0": 25, "t1": 25, "t2": 25}
    again = bench.score(batch)
    assert amounts(again.books.new) == {}
    assert len(again.books.scored) == 3


def test_of_an_id_that_comes_several_times_at_once_only_what_is_recorded_counts_as_new() -> None:
    bench = Bench()
    first, other = (a_posted_transaction(transaction_id="t", amount=amount) for amount in (25, 5000))
    outcome = bench.score(an_envelope(first, first, other), an_envelope(other))
    assert amounts(outcome.books.new) == amounts(bench.recorder.recorded.values()) == {"t": 25}
    assert len(outcome.books.new) == 1


def test_an_id_conflict_is_told_apart_from_poison() -> None:
    bench = Bench()
    bench.score(an_envelope(a_posted_transaction(transaction_id="t1")))
    outcome = bench.score(an_envelope(a_posted_transaction(transaction_id="t1", amount="26.00")))
    assert [(each.reason, each.transaction_id) for each in outcome.books.conflicts] == [("id_conflict", "t1")]
    assert (list(outcome.books.new), outcome.poison) == ([], [0])


def test_an_item_that_only_the_database_refuses_does_not_block_the_others() -> None:
    class Refusing(MemoryRecorder):
        def record(self, scored: Sequence[ScoredTransaction], rejected: Sequence[RejectedMessage]) -> Recorded:
            if any(each.transaction.transaction_id == "t5" for each in scored):
                raise ValueError("a byte that the column does not take")
            return super().record(scored, rejected)

    bench = Bench(recorder=Refusing())
    outcome = bench.score(an_envelope(*posted_in_a_row(10)), GARBAGE)
    assert len(bench.recorder.recorded) == 9
    assert bench.rejections == {"t5": "unrecordable", None: "unreadable"}
    assert {each.reason for each in outcome.books.rejected} == {"unrecordable", "unreadable"}


def test_the_same_id_with_other_content_is_a_conflict_and_the_first_stands() -> None:
    bench = Bench()
    bench.score(an_envelope(a_posted_transaction(transaction_id="t", amount=1)))
    bench.score(an_envelope(a_posted_transaction(transaction_id="t", amount=2)))
    assert bench.recorder.recorded["t"].transaction.amount == 1
    assert bench.rejections == {"t": "id_conflict"}


def test_an_alert_that_the_feed_does_not_take_is_left_to_the_sweeper() -> None:
    bench = Bench()
    bench.announcer.available = False
    outcome = bench.score(an_envelope(a_posted_transaction(transaction_id="t", amount=5000)))
    assert type(outcome.unannounced).__name__ == "FeedUnavailable"
    assert [alert.transaction_id for alert in bench.recorder.unannounced(["t"])] == ["t"]


def test_a_card_number_is_masked_in_quarantine() -> None:
    bench = Bench()
    bench.score(
        b'{"v": 1, "items": "4111 1111 1111 1111"}', an_envelope(a_posted_transaction(note="4111111111111111"))
    )
    bodies = b"".join(each.message.body for each in bench.recorder.rejected.values())
    assert len(bench.recorder.rejected) == 2
    assert b"1111" not in bodies


def test_a_message_larger_than_any_envelope_is_quarantined_in_part() -> None:
    bench = Bench()
    outcome = bench.score(b"x" * 1_000_000)
    assert len(outcome.books.rejected[0].body) == 192 * 1024


def test_an_envelope_of_a_newer_version_is_left_alone() -> None:
    bench = Bench()
    newer = an_envelope(v=2)
    outcome = bench.score(newer, an_envelope())
    assert outcome.newer == [newer]
    assert (len(bench.recorder.recorded), bench.recorder.rejected) == (1, {})


def test_without_history_nothing_is_scored() -> None:
    bench = Bench()
    bench.history.away = True
    with pytest.raises(HistoryUnavailable):
        bench.score(an_envelope())
    assert bench.recorder.recorded == {}


def test_without_its_books_nothing_is_announced() -> None:
    bench = Bench()
    bench.recorder.away = True
    with pytest.raises(DatabaseUnavailable):
        bench.score(an_envelope(a_posted_transaction(amount=5000)))
    assert bench.announcer.announced == []


@pytest.mark.parametrize("step", Step)
def test_after_a_fault_before_any_step_a_redelivery_completes_the_batch(step: Step) -> None:
    bench = Bench(reach=fault(f"{step}:raise"))
    message = an_envelope(*posted_in_a_row(3, amount=5000))
    with pytest.raises(InjectedFault):
        bench.score(message)
    bench.score(message)
    assert set(bench.recorder.recorded) == {"t0", "t1", "t2"}
    assert [history.count_5min for history in bench.scorer.seen[-3:]] == [0, 1, 2]
    assert {alert.transaction_id for alert in bench.announcer.announced} == {"t0", "t1", "t2"}
    assert bench.recorder.unannounced(["t0", "t1", "t2"]) == []


@pytest.mark.parametrize("step", [Step.ANNOUNCE, Step.MARK])
def test_a_redelivery_without_an_alert_to_announce_does_not_reach_the_last_steps(step: Step) -> None:
    bench = Bench()
    first, second = (an_envelope(a_posted_transaction(transaction_id=name, amount=5000)) for name in "ab")
    bench.score(first)
    bench.reach = fault(f"{step}:raise")
    bench.score(first)
    with pytest.raises(InjectedFault):
        bench.score(second)


def test_received_at_in_the_future_counts_as_now() -> None:
    bench = Bench()
    late = (NOW + timedelta(hours=1)).isoformat()
    message = b'{"v":1,"items":[{"transaction":%b,"received_at":"%b"}]}' % (
        an_envelope().split(b'"transaction": ')[1][:-3],
        late.encode(),
    )
    outcome = bench.score(message)
    assert [each.item.received_at for each in outcome.books.scored] == [NOW]


@pytest.mark.parametrize("value", ['"\\ud800"', "NaN", "9" * 5_000, "[" * 90 + "]" * 90 + ', "y": NaN'])
def test_what_the_strict_parser_refuses_spoils_only_its_own_item(value: str) -> None:
    items = [{"transaction": a_posted_transaction(transaction_id=name, x=name)} for name in ("t0", "t1", "t2")]
    bench = Bench()
    bench.score(json.dumps({"v": 1, "items": items}).replace('"x": "t1"', f'"x": {value}').encode())
    assert set(bench.recorder.recorded) == {"t0", "t2"}
    assert bench.rejections == {"t1": "unstorable_value"}


@pytest.mark.parametrize("depth", [300, 50_000])
def test_nesting_without_end_is_unreadable(depth: int) -> None:
    bench = Bench()
    bench.score(b'{"v": 1, "items": [NaN, ' + b"[" * depth + b"]" * depth + b"]}")
    assert bench.rejections == {None: "unreadable"}
