"""The books of a campaign: what balances holds, and each way to be wrong breaks the check of its name."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.chaos.books import Check, Found, Heard, Rejected, StoredAlert, balance, lost
from local.chaos.ledger import Ledger, Sent, Told

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
ALERT = StoredAlert("alert-b", 1, "b", NOON)
SENT = Sent(
    accepted=frozenset("ab"),
    refused=frozenset("r"),
    unknown=frozenset("uv"),
    conflicting=frozenset("a"),
    poison=frozenset({"mark-1", "bad"}),
    newer=frozenset({"mark-2"}),
)
FOUND = Found(
    recorded={"a": 1, "b": 1, "u": 1},
    scored={"a": 1, "b": 1, "u": 1},
    high=frozenset("b"),
    rejected=[
        Rejected("unreadable", None, b"\xff mark-1"),
        Rejected("amount", "bad", b"{}"),
        Rejected("id_conflict", "a", b"{}"),
    ],
    alerts=[ALERT],
    dead_letters=0,
    left_in_queue=[b'{"v": 2, "mark": "mark-2"}'],
    recorded_history={"acct-1 USD": {1: 3}},
    history={"acct-1 USD": {1: 3}},
    unready=[],
)
HEARD = Heard([1], frozenset({"alert-b"}), [])


def broken(sent: Sent = SENT, found: Found = FOUND, heard: Heard = HEARD) -> list[str]:
    return [check.name for check in balance(sent, found, heard) if not check.holds]


def test_books_that_balance_break_nothing() -> None:
    assert broken() == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("kept", {"recorded": {"b": 1}, "scored": {"b": 1}, "rejected": FOUND.rejected[:2]}),
        ("surplus", {"recorded": {**FOUND.recorded, "r": 1}, "scored": {**FOUND.scored, "r": 1}}),
        ("surplus", {"recorded": {**FOUND.recorded, "x": 1}, "scored": {**FOUND.scored, "x": 1}}),
        ("once", {"recorded": {**FOUND.recorded, "b": 2}}),
        ("once", {"scored": {**FOUND.scored, "b": 2}}),
        ("once", {"scored": {"a": 1, "b": 1}}),
        ("queue", {"dead_letters": 1}),
        ("queue", {"left_in_queue": []}),
        ("queue", {"left_in_queue": [*FOUND.left_in_queue, b'{"v": 1}']}),
        ("quarantine", {"rejected": FOUND.rejected[1:]}),
        ("quarantine", {"rejected": [*FOUND.rejected, Rejected("unreadable", None, b"mine")]}),
        ("quarantine", {"rejected": [*FOUND.rejected, Rejected("id_conflict", "v", b"")]}),
        ("delivered", {"alerts": [ALERT, StoredAlert("c", 2, "u", NOON)]}),
        ("delivered", {"high": frozenset("bu")}),
        ("announced", {"alerts": [replace(ALERT, announced_at=None)]}),
        ("history", {"history": {"acct-1 USD": {1: 4}}}),
        ("history", {"history": {}}),
        ("history", {"history": {**FOUND.history, "stranger": {1: 1}}}),
        ("ready", {"unready": ["score"]}),
    ],
)
def test_each_way_to_be_wrong_breaks_its_check(name: str, found: dict[str, Any]) -> None:
    assert name in broken(found=replace(FOUND, **found))


def test_an_id_recorded_and_quarantined_has_two_outcomes() -> None:
    both = [*FOUND.rejected, Rejected("unrecordable", "b", b"")]
    assert broken(found=replace(FOUND, rejected=both)) == ["once", "quarantine"]


@pytest.mark.parametrize("seqs", [[], [1, 1], [2, 1]])
def test_the_stream_must_bring_every_alert_once_and_in_order(seqs: list[int]) -> None:
    assert broken(heard=replace(HEARD, seqs=seqs)) == ["delivered"]


def test_an_announcement_may_be_missed_only_while_nobody_listened() -> None:
    deaf = replace(HEARD, announced=frozenset())
    assert broken(heard=deaf) == ["announced"]
    assert broken(heard=replace(deaf, gaps=[(NOON - timedelta(seconds=9), NOON + timedelta(seconds=1))])) == []
    assert broken(heard=replace(deaf, gaps=[(NOON + timedelta(minutes=1), NOON + timedelta(minutes=2))])) != []


def test_a_broken_check_names_what_is_wrong() -> None:
    [kept] = [
        check for check in balance(replace(SENT, accepted=frozenset("abz")), FOUND, HEARD) if not check.holds
    ]
    assert kept == Check(kept.name, kept.promise, {"accepted": 3, "recorded": 3, "missing": 1}, ["z"])


def test_an_id_is_accepted_once_any_answer_says_so_and_refused_only_where_all_do() -> None:
    ledger = Ledger()
    for name, answers in {
        "a": (Told.UNKNOWN, Told.ACCEPTED),
        "b": (Told.REFUSED,),
        "c": (Told.REFUSED, Told.UNKNOWN),
    }.items():
        for told in answers:
            ledger.note([name], told)
    assert (ledger.closed().accepted, ledger.closed().refused, ledger.closed().unknown) == tuple(
        map(frozenset, "abc")
    )


def test_an_emptied_redis_need_not_know_an_account_that_was_not_seen_since() -> None:
    flushed = replace(SENT, flushed=True)
    both = {**FOUND.recorded_history, "acct-2 USD": {1: 1}}
    assert broken(flushed, replace(FOUND, recorded_history=both)) == []
    assert broken(SENT, replace(FOUND, recorded_history=both)) == ["history"]
    half = {**FOUND.recorded_history, "acct-1 EUR": {1: 1}}
    assert broken(flushed, replace(FOUND, recorded_history=half)) == ["history"]


def killed(**histories: Any) -> list[str]:
    """What a killed Redis lost, of a transaction at risk on day 1 in one account."""
    at_risk = {"acct-1 USD": {1: 1}}
    return lost(replace(SENT, redis_killed=(NOON,)), replace(FOUND, at_risk=at_risk, **histories))


def test_a_killed_redis_may_have_lost_what_was_recorded_around_then() -> None:
    assert killed() == []
    assert killed(history={"acct-1 USD": {1: 2}}) == ["acct-1"]
    assert lost(SENT, replace(FOUND, history={"acct-1 USD": {1: 2}})) == []


@pytest.mark.parametrize(
    "history",
    [
        {"acct-1 USD": {1: 1}},
        {"acct-1 USD": {1: 4}},
        {"acct-1 USD": {1: 2, 2: 1}},
        {"acct-1 USD": {1: 2}, "acct-1 EUR": {1: 1}},
    ],
    ids=["more than was at risk", "too many", "another day", "another currency"],
)
def test_no_killed_redis_explains_any_other_difference(history: dict[str, Any]) -> None:
    assert killed(history=history) == []


def test_accounts_that_were_rebuilt_are_counted_and_must_balance() -> None:
    sent, rebuilt = replace(SENT, redis_killed=(NOON,)), replace(FOUND, rebuilt=["acct-1"])
    [history] = [check for check in balance(sent, rebuilt, HEARD) if check.name == "history"]
    assert history.holds
    assert history.numbers["rebuilt after a kill of Redis"] == 1
    assert broken(sent, replace(rebuilt, history={"acct-1 USD": {1: 2}})) == ["history"]
