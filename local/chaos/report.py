"""What a campaign ends with: tables for people, and one line of JSON."""

import json
from collections.abc import Iterator
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from local.chaos.books import Check
from local.chaos.campaign import Outcome, Plan

EXAMPLES = 5


def holds(outcome: Outcome) -> bool:
    """Whether every check does."""
    return all(check.holds for check in outcome.checks)


def summary(plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """Everything in numbers; rates are payments a second over the time of the load."""
    ledger, sent = outcome.ledger, outcome.ledger.closed()
    return {
        "holds": holds(outcome),
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
