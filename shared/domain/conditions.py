"""The language of the rules' conditions: a restricted grammar, compiled to steps over one case.

    amount_zscore >= 2.5 and amount >= 50 and not (merchant_category in ["travel", "hotel"] or missing(channel))

Python's parser reads it, and nothing is ever run as Python: each node must be one that this grammar names.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from shared.domain.condition_steps import (
    ARITHMETIC,
    COMPARISONS,
    Kind,
    Term,
    Test,
    all_of,
    always,
    any_of,
    calculation,
    comparison,
    kind_of,
    membership,
    negation,
    negative,
    presence,
)
from shared.domain.errors import FraudSenseError

LONGEST = 1000
"""Characters of a condition: nobody reads more, and the parser's depth is bounded."""

LARGEST = 1e300
Constant = float | str | tuple[float | str, ...]
_USABLE = {Kind.NUMBER: "use < <= > >= == != or in", Kind.TEXT: "use == != or in"}


class ConditionInvalid(FraudSenseError):
    """The condition is not of the language; `column` counts its characters from 1."""

    def __init__(self, column: int, problem: str) -> None:
        super().__init__(f"column {column}: {problem}")
        self.column, self.problem = column, problem


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition: its text, the names it reads, and whether it holds of a case."""

    text: str
    names: frozenset[str]
    holds: Test = field(compare=False, repr=False)


def compiled(text: str, names: Mapping[str, Term], constants: Mapping[str, Constant]) -> Condition:
    """The condition, which may name `names` and `constants`; raises ConditionInvalid where it makes no sense."""
    line = text.replace("\n", " ").strip()
    if len(line) > LONGEST:
        raise ConditionInvalid(LONGEST, f"a condition has at most {LONGEST} characters; make it two rules")
    compiler = _Compiler(line, names, constants)
    try:
        holds = compiler.truth(ast.parse(line, mode="eval").body)
    except SyntaxError as error:
        raise ConditionInvalid(max(error.offset or 1, 1), f"this cannot be read ({error.msg})") from error
    except (ValueError, MemoryError, RecursionError) as error:
        raise ConditionInvalid(1, "this cannot be read (too deeply nested, or not text)") from error
    return Condition(line, frozenset(compiler.used), holds)


class _Compiler:
    """Turns nodes into steps, and collects the names that they read."""

    def __init__(self, text: str, names: Mapping[str, Term], constants: Mapping[str, Constant]) -> None:
        self._text, self._names, self._constants = text, names, constants
        self.used: set[str] = set()

    def truth(self, node: ast.expr) -> Test:
        """A node that must be a condition."""
        match node:
            case ast.BoolOp(op=ast.And(), values=values):
                return all_of([self.truth(each) for each in values])
            case ast.BoolOp(values=values):
                return any_of([self.truth(each) for each in values])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return negation(self.truth(operand))
            case ast.Compare(left=left, ops=ops, comparators=rights):
                pairs = zip([left, *rights], ops, rights, strict=False)
                return all_of([self._comparison(*each) for each in pairs])
            case ast.Call():
                return self._presence(node)
        kind = self._term(node).kind
        raise self._refusal(node, f"{self._source(node)} is {kind}, not a condition; compare it with something")

    def _comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Test:
        if isinstance(op, ast.In | ast.NotIn):
            return self._membership(left, op, right)
        one, other = self._term(left), self._term(right)
        if one.kind is not other.kind:
            kinds = f"{self._source(left)} is {one.kind}, {self._source(right)} is {other.kind}"
            raise self._refusal(left, f"{kinds}; compare like with like")
        compare = COMPARISONS[one.kind].get(type(op))
        if compare is None:
            raise self._refusal(left, f"{one.kind} is not compared like this; {_USABLE[one.kind]}")
        if not (one.varies or other.varies):
            raise self._refusal(left, "this compares constants only; name a feature or a field of the transaction")
        return comparison(one, compare, other)

    def _membership(self, left: ast.expr, op: ast.In | ast.NotIn, right: ast.expr) -> Test:
        term, members = self._term(left), self._members(right)
        if not term.varies:
            raise self._refusal(left, "this compares constants only; name a feature or a field of the transaction")
        if {kind_of(each) for each in members} != {term.kind}:
            raise self._refusal(right, f"{self._source(left)} is {term.kind}; so must be all that the list holds")
        belongs = membership(term, members)
        if isinstance(op, ast.In):
            return belongs
        return all_of([presence(term, wanted=True), negation(belongs)])

    def _members(self, node: ast.expr) -> frozenset[Any]:
        if isinstance(node, ast.List | ast.Tuple):
            return frozenset(self._constant(each) for each in node.elts)
        constant = self._constants.get(node.id) if isinstance(node, ast.Name) else None
        if not isinstance(constant, tuple):
            raise self._refusal(node, '`in` wants a list: [1, 2], ["a", "b"] or a constant that is one')
        return frozenset(constant)

    def _constant(self, node: ast.expr) -> float | str:
        match node:
            case ast.Constant(value=str() as text):
                return text
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                if abs(number) >= LARGEST:
                    raise self._refusal(node, "this number is too large")
                return float(number)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float()) as number):
                return -float(self._constant(number))
        raise self._refusal(node, f"{self._source(node)} is neither a number nor a text in quotes")

    def _presence(self, node: ast.Call) -> Test:
        match node:
            case ast.Call(func=ast.Name(id="known" | "missing" as asked), args=[ast.Name() as name], keywords=[]):
                term = self._named(name)
                if not term.varies:
                    raise self._refusal(name, f"{name.id} is a constant and always known")
                return presence(term, wanted=asked == "known")
        raise self._refusal(node, f"{self._source(node)}: the only functions are known(name) and missing(name)")

    def _term(self, node: ast.expr) -> Term:
        match node:
            case ast.Name():
                return self._named(node)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
                return calculation(self._number(left), ARITHMETIC[type(op)], self._number(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return negative(self._number(operand))
            case ast.Constant():
                return always(self._constant(node))
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()) | ast.Call():
                raise self._refusal(node, f"{self._source(node)} stands where a number or a text is wanted")
        raise self._refusal(node, f"{self._source(node)} is not part of the language of conditions")

    def _named(self, node: ast.Name) -> Term:
        name, constant = node.id, self._constants.get(node.id)
        if isinstance(constant, tuple):
            raise self._refusal(node, f"{name} is a list; lists stand behind `in` only")
        if constant is not None:
            return always(constant)
        if name not in self._names:
            near = get_close_matches(name, [*self._names, *self._constants], n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise self._refusal(node, f"there is no feature, field or constant called {name}{hint}")
        self.used.add(name)
        return self._names[name]

    def _number(self, node: ast.expr) -> Term:
        term = self._term(node)
        if term.kind is not Kind.NUMBER:
            raise self._refusal(node, f"{self._source(node)} is {term.kind}; only numbers are calculated with")
        return term

    def _source(self, node: ast.expr) -> str:
        return ast.get_source_segment(self._text, node) or "this"

    def _refusal(self, node: ast.expr, problem: str) -> ConditionInvalid:
        before = self._text.encode()[: node.col_offset].decode()
        return ConditionInvalid(len(before) + 1, problem)
