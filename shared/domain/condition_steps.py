"""The steps that a condition is compiled to: closures over one case, which cost less than steps over columns do.

A comparison with something absent (NaN, None) is false, `!=` and `not in` included; a division by zero is absent.
"""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import nan
from typing import Any

Case = tuple[Any, ...]
"""What a condition is asked about; names know where in it they stand."""

Test = Callable[[Case], bool]
"""Whether something holds of a case."""


class Kind(StrEnum):
    """What a name or a part of a condition stands for: float, NaN where absent, or str, None where absent."""

    NUMBER = "a number"
    TEXT = "a text"


@dataclass(frozen=True, slots=True)
class Term:
    """A number or a text, and how a case is asked for it; a `constant` is the same in every case."""

    kind: Kind
    value: Callable[[Case], Any]
    constant: float | str | None = None

    @property
    def varies(self) -> bool:
        """Whether it depends on the case."""
        return self.constant is None


def always(value: float | str) -> Term:
    """A constant as a term."""
    return Term(kind_of(value), lambda _case: value, value)


def kind_of(value: float | str) -> Kind:
    """Number or text."""
    return Kind.TEXT if isinstance(value, str) else Kind.NUMBER


def all_of(parts: Sequence[Test]) -> Test:
    """Logical and, from the left."""
    if len(parts) == 1:
        return parts[0]
    first, rest = parts[0], all_of(parts[1:])
    return lambda case: first(case) and rest(case)


def any_of(parts: Sequence[Test]) -> Test:
    """Logical or, from the left."""
    if len(parts) == 1:
        return parts[0]
    first, rest = parts[0], any_of(parts[1:])
    return lambda case: first(case) or rest(case)


def negation(part: Test) -> Test:
    """Logical not."""
    return lambda case: not part(case)


def comparison(left: Term, compare: Callable[[Any, Any], bool], right: Term) -> Test:
    """One comparison of two terms."""
    value, other, constant = left.value, right.value, right.constant
    if constant is not None:
        return lambda case: compare(value(case), constant)
    return lambda case: compare(value(case), other(case))


def membership(term: Term, members: frozenset[Any]) -> Test:
    """Whether it is one of the members."""
    value = term.value
    return lambda case: value(case) in members


def presence(term: Term, *, wanted: bool) -> Test:
    """Whether it is known, or, where that is not wanted, missing."""
    value, is_known = term.value, _IS_KNOWN[term.kind]
    return lambda case: is_known(value(case)) is wanted


def calculation(left: Term, calculate: Callable[[float, float], float], right: Term) -> Term:
    """Two numbers as one."""
    one, other = left.value, right.value
    if left.varies or right.varies:
        return Term(Kind.NUMBER, lambda case: calculate(one(case), other(case)))
    return always(calculate(one(()), other(())))


def negative(term: Term) -> Term:
    """A number with the other sign."""
    return calculation(always(0.0), operator.sub, term)


def _are_other_numbers(left: float, right: float) -> bool:
    return left < right or left > right


def _are_same_texts(left: str | None, right: str | None) -> bool:
    return left is not None and left == right


def _are_other_texts(left: str | None, right: str | None) -> bool:
    return left is not None and right is not None and left != right


def _over(left: float, right: float) -> float:
    return left / right if right else nan


_IS_KNOWN: Mapping[Kind, Callable[[Any], bool]] = {
    Kind.NUMBER: lambda value: value == value,  # noqa: PLR0124 - false for NaN only
    Kind.TEXT: lambda value: value is not None,
}
COMPARISONS: Mapping[Kind, Mapping[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    Kind.NUMBER: {
        ast.Lt: operator.lt,
        ast.LtE: operator.le,
        ast.Gt: operator.gt,
        ast.GtE: operator.ge,
        ast.Eq: operator.eq,
        ast.NotEq: _are_other_numbers,
    },
    Kind.TEXT: {ast.Eq: _are_same_texts, ast.NotEq: _are_other_texts},
}
ARITHMETIC: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _over,
}
