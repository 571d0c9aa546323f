"""What a campaign says at its end: imbalance, faults that did not come about, and sabotage, each by its name."""

import pytest

from functions.score.fault import Guarantee
from local.chaos.books import Check
from local.chaos.campaign import Outcome, Plan
from local.chaos.ledger import Ledger
from local.chaos.report import summary, verdicts


def said(*broken: str, sabotage: Guarantee | None = None) -> str:
    """The verdicts on a run with these checks broken."""
    return " ".join(verdicts(plan(sabotage), outcome(*broken)))


def plan(sabotage: Guarantee | None) -> Plan:
    return Plan(seed=7, seconds=60, rate=100, faults=[], sabotage=sabotage)


def outcome(*broken: str) -> Outcome:
    names = ("kept", "once", "history", "announced", "faults")
    checks = [Check(name, "a promise", {}, ["an example"] if name in broken else []) for name in names]
    return Outcome(checks, Ledger(), timeline=[], drain_seconds=0.0)


def test_nothing_is_said_where_all_is_well() -> None:
    assert said() == ""


def test_a_fault_that_did_not_come_about_is_no_imbalance() -> None:
    assert said("faults").startswith("The books balance, but not every fault came about")
    assert said("faults", "kept") == "The books do not balance."


@pytest.mark.parametrize(
    ("guarantee", "check"), [("gate", "once"), ("history", "history"), ("outbox", "announced")]
)
def test_a_sabotage_shows_at_its_own_check_only(guarantee: str, check: str) -> None:
    sabotage = Guarantee(guarantee)
    assert "That was to be" in said(check, sabotage=sabotage)
    for broken in ("", "kept", "faults"):
        assert f"did not show: without the guarantee `{guarantee}` the check `{check}`" in said(
            broken, sabotage=sabotage
        )


def test_the_summary_tells_balance_from_sabotage() -> None:
    keys = ("holds", "balances", "sabotage", "sabotage_shows")
    told = [summary(plan(None), outcome("faults")), summary(plan(Guarantee.GATE), outcome("once"))]
    assert [tuple(each[key] for key in keys) for each in told] == [
        (False, True, None, None),
        (False, False, "gate", True),
    ]
