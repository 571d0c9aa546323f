"""What a campaign ends with: tables for people, and one line of JSON."""

import json
from collections.abc import Iterator
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from local.chaos.books import Check
from local.chaos.campaign import FAULTS, SHOWN_BY, Outcome, Plan

EXAMPLES = 5


def holds(outcome: Outcome) -> bool:
    """Whether every check does."""
    return all(check.holds for check in outcome.checks)


def balances(outcome: Outcome) -> bool:
    """Whether every check of the books holds, whatever became of the faults."""
    return all(check.holds for check in outcome.checks if check.name != FAULTS)


def shows(plan: Plan, outcome: Outcome) -> bool | None:
    """Whether the books show the guarantee that was taken away; None where none was."""
    if plan.sabotage is None:
        return None
    return any(check.name == SHOWN_BY[plan.sabotage] and not check.holds for check in outcome.checks)


def summary(plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """Everything in numbers; rates are payments a second over the time of the load."""
    ledger, sent = outcome.ledger, outcome.ledger.closed()
    return {
        "holds": holds(outcome),
        "balances": balances(outcome),
        "sabotage": plan.sabotage,
        "sabotage_shows": shows(plan, outcome),
        "seed": plan.seed,
        "seconds": plan.seconds,
        "rate": plan.rate,
        "offered_per_second": round(ledger.offered / plan.seconds, 1),
        "accepted_per_second": round(len(sent.accepted) / plan.seconds, 1),
        "left_out": ledger.left_out,
        "answers": dict(ledger.answers),
        "drain_seconds": round(outcome.drain_seconds, 1),
        "faults": [{"at": round(fault.at, 1), "what": str(fault)} for fault in plan.faults],
        "checks": {
            check.name: {"holds": check.holds, **check.numbers, "wrong": list(check.wrong[:EXAMPLES])}
            for check in outcome.checks
        },
    }


def json_line(plan: Plan, outcome: Outcome) -> str:
    """The summary on one line."""
    return json.dumps(summary(plan, outcome))


def tables(plan: Plan, outcome: Outcome) -> Group:
    """Timeline, figures and checks."""
    timeline = Table("second", "what happened", title=f"Chaos, seed {plan.seed}")
    for line in outcome.timeline:
        timeline.add_row(f"{line.at:.1f}", Text(line.text))
    figures = Table(show_header=False, title="Load")
    for name in ("rate", "offered_per_second", "accepted_per_second", "left_out", "answers", "drain_seconds"):
        figures.add_row(name.replace("_", " "), str(summary(plan, outcome)[name]))
    checks = Table("", "check", "promise", "numbers", title="The books")
    for check in outcome.checks:
        checks.add_row(*_row(check))
    return Group(timeline, figures, checks)


def _row(check: Check) -> tuple[Text, str, str, str]:
    sign = Text("holds", "green") if check.holds else Text("BROKEN", "bold red")
    return sign, check.name, check.promise, ", ".join(f"{count:,} {name}" for name, count in check.numbers.items())


def complaints(outcome: Outcome) -> Iterator[str]:
    """A line for each broken check, with examples."""
    for check in outcome.checks:
        if not check.holds:
            examples = "; ".join(check.wrong[:EXAMPLES])
            more = len(check.wrong) - EXAMPLES
            yield f"{check.name}: {examples}" + (f"; and {more:,} more" if more > 0 else "")


def verdicts(plan: Plan, outcome: Outcome) -> Iterator[str]:
    """What the run proves where it is not that all is well: a sentence each."""
    if not balances(outcome):
        yield "The books do not balance."
    elif not holds(outcome):
        yield "The books balance, but not every fault came about: the run proves less than it should."
    if plan.sabotage and shows(plan, outcome):
        yield f"That was to be: score ran without its guarantee `{plan.sabotage}`."
    elif plan.sabotage:
        check = SHOWN_BY[plan.sabotage]
        yield f"The sabotage did not show: without the guarantee `{plan.sabotage}` the check `{check}` must break."
