"""Why a risk is what it is: the strongest contributions of rules, forest and features, in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan

from shared.domain.decision import Reason
from shared.domain.feature_reasons import CODES, IN_ORDER
from shared.domain.history import History
from shared.domain.risk import Contributions
from shared.domain.rules import Rule
from shared.domain.signals import Signals
from shared.domain.transaction import Transaction
from shared.domain.wording import behaviour, usual_behaviour

FOREST_REASON = "isolation_forest_high_score"
STRONGEST = 3
"""Reasons of a MEDIUM or HIGH, beside the other rules that fired."""

UNUSUAL = 0.02
"""The forest is a reason beside others where at most this share of the training window was as anomalous."""

SHARE_OF_FOREST = 0.1
"""A feature tells why the forest finds a transaction strange from this share of all that shortened its path."""

Case = tuple[Transaction, History, Signals]


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
    """Up to three reasons, strongest first, and the other rules that fired; never none.

    Where the forest is among them, its features take the places left. A value is told once.
    """
    found = [reason for _, reason in sorted(_weighed(evidence), key=lambda pair: -pair[0])]
    forest = _forest_reason(evidence)
    first = _untold(found)[:STRONGEST] or [forest]
    if forest in first:
        first = _untold([*first, *_forest_features(evidence)])[:STRONGEST]
    rules = rule_reasons(evidence.case, evidence.rules, evidence.fired)
    return (*first, *(reason for reason in rules if reason not in first))


def rule_reasons(case: Case, rules: Sequence[Rule], fired: Sequence[bool]) -> tuple[Reason, ...]:
    """The rules that fired, by declared weight."""
    hits = [rule for rule, hit in zip(rules, fired, strict=True) if hit]
    return tuple([rule.explain(*case) for rule in sorted(hits, key=lambda rule: -rule.weight)])


def _weighed(evidence: Evidence) -> Iterator[tuple[float, Reason]]:
    """What raised the risk, with its contribution."""
    made_of, case = evidence.made_of, evidence.case
    rules = zip(made_of.rules, evidence.rules, evidence.fired, strict=True)
    yield from ((part, rule.explain(*case)) for part, rule, fired in rules if fired and part > 0)
    yield from _features(evidence, made_of.features, 0)
    if made_of.forest > 0 and evidence.tail <= UNUSUAL:
        yield made_of.forest, _forest_reason(evidence)


def _forest_features(evidence: Evidence) -> list[Reason]:
    enough = SHARE_OF_FOREST * sum(part for part in evidence.shortened if part > 0)
    parts = sorted(_features(evidence, evidence.shortened, enough), key=lambda pair: -pair[0])
    return [reason for _, reason in parts]


def _features(evidence: Evidence, parts: Sequence[float], above: float) -> Iterator[tuple[float, Reason]]:
    for column, part in enumerate(parts):
        if part > above and not isnan(evidence.row[column]):
            yield part, _feature_reason(evidence.case, column)


def _feature_reason(case: Case, column: int) -> Reason:
    told = IN_ORDER[column]
    return Reason(CODES[column], told.text, told.observed(*case), told.usual(*case))


def _forest_reason(evidence: Evidence) -> Reason:
    share = f"{max(evidence.tail * 100, 0.01):.2g} %"
    text = f"The behaviour as a whole is among the most unusual {share} of the training window"
    return Reason(FOREST_REASON, text, behaviour(*evidence.case), usual_behaviour(*evidence.case))


def _untold(reasons: Sequence[Reason]) -> list[Reason]:
    """Without those whose observed and usual value an earlier one tells."""
    first = {(reason.observed, reason.usual): reason for reason in reversed(reasons)}
    return [reason for reason in reasons if first[reason.observed, reason.usual] is reason]
