"""Why a risk is what it is: the strongest contributions of rules, forest and features, in words."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import isnan
from operator import itemgetter

from shared.domain.decision import Reason
from shared.domain.feature_reasons import Case, compared, unusual
from shared.domain.risk import Contributions
from shared.domain.rules import Rule
from shared.domain.wording import behaviour, usual_behaviour

FOREST_REASON = "isolation_forest_high_score"
STRONGEST = 3
"""Reasons of a MEDIUM, a HIGH and an alert, beside the other rules that fired."""

UNUSUAL = 0.02
"""The forest is a reason beside others where at most this share of the training window was as anomalous."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One transaction, the rules with whether each fired, and what its risk and its anomaly are made of.

    `row` holds its features, `shortened` by how much each shortened its path through the forest, and `tail` the
    share of the training window that was as anomalous.
    """

    case: Case
    row: Sequence[float]
    rules: Sequence[Rule]
    fired: Sequence[bool]
    made_of: Contributions
    shortened: Sequence[float]
    tail: float


def strongest(evidence: Evidence) -> tuple[Reason, ...]:
    """Three reasons with values of their own, strongest first, and then the other rules that fired.

    What raised the risk comes first. Where that gives fewer than three values, the places left are taken by the
    features that shortened the path through the forest, by the other rules, by the behaviour as a whole, and then,
    for comparison, by the other known features, those that lengthened the path least first. Enough features are
    never absent.
    """
    rules = rule_reasons(evidence.case, evidence.rules, evidence.fired)
    first = _with_values_of_their_own(_candidates(evidence, rules), rules)
    return (*first, *(reason for reason in rules if reason not in first))


def rule_reasons(case: Case, rules: Sequence[Rule], fired: Sequence[bool]) -> tuple[Reason, ...]:
    """The rules that fired, by declared weight."""
    hits = [rule for rule, hit in zip(rules, fired, strict=True) if hit]
    return tuple([rule.explain(*case) for rule in sorted(hits, key=lambda rule: -rule.weight)])


def _candidates(evidence: Evidence, rules: Sequence[Reason]) -> Iterator[Reason]:
    yield from _raised(evidence)
    by_forest = sorted(_known(evidence, evidence.shortened), reverse=True, key=itemgetter(0))
    yield from (unusual(evidence.case, column) for part, column in by_forest if part > 0)
    yield from rules
    yield _behaviour(evidence)
    yield from (compared(evidence.case, column) for part, column in by_forest if part <= 0)


def _raised(evidence: Evidence) -> Iterator[Reason]:
    """What raised the risk, the strongest first."""
    made_of, case = evidence.made_of, evidence.case
    rules = zip(made_of.rules, evidence.rules, evidence.fired, strict=True)
    features = _known(evidence, made_of.features)
    weighed: list[tuple[float, Callable[[], Reason]]] = [
        *((part, partial(rule.explain, *case)) for part, rule, fired in rules if fired),
        *((part, partial(unusual, case, column)) for part, column in features),
    ]
    if evidence.tail <= UNUSUAL:
        weighed.append((made_of.forest, partial(_behaviour, evidence)))
    return (told() for part, told in sorted(weighed, reverse=True, key=itemgetter(0)) if part > 0)


def _known(evidence: Evidence, parts: Sequence[float]) -> list[tuple[float, int]]:
    """Each feature that is known: its part and its column."""
    return [(part, column) for column, part in enumerate(parts) if not isnan(evidence.row[column])]


def _behaviour(evidence: Evidence) -> Reason:
    share = f"{max(evidence.tail * 100, 0.01):.2g} %"
    text = f"The behaviour as a whole is among the most unusual {share} of the training window"
    return Reason(FOREST_REASON, text, behaviour(*evidence.case), usual_behaviour(*evidence.case))


def _with_values_of_their_own(candidates: Iterable[Reason], rules: Sequence[Reason]) -> tuple[Reason, ...]:
    """The first of them with different observed and usual values; where a rule tells the same, that rule."""
    rule_of = {_values(reason): reason for reason in reversed(rules)}
    told: dict[tuple[str, str], Reason] = {}
    for reason in candidates:
        values = _values(reason)
        told.setdefault(values, rule_of.get(values, reason))
        if len(told) == STRONGEST:
            break
    return tuple(told.values())


def _values(reason: Reason) -> tuple[str, str]:
    return reason.observed, reason.usual
