"""Reads YAML as nodes that know their line, so that a mistake can be told with the place it is at."""

import re
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from math import isfinite

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_DECIMAL = re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9]*)?([eE][-+]?[0-9]+)?")
_NO_TEXT = {
    "tag:yaml.org,2002:bool": "a truth value",
    "tag:yaml.org,2002:null": "nothing",
    "tag:yaml.org,2002:float": "a number that is none here",
    "tag:yaml.org,2002:int": "a number that is none here",
}


class Misplaced(Exception):
    """Something is wrong at a line of the document, which is counted from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")


def document(text: str) -> Node | None:
    """The one document in a text, None where it is empty; raises Misplaced where it is not YAML."""
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Misplaced(line, f"this is not YAML ({error.problem or error.context})") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise Misplaced(1, "this is not YAML (a control character, or too deeply nested)") from error


def line_of(node: Node) -> int:
    """Where a node begins."""
    return int(node.start_mark.line) + 1


def fields(node: Node, what: str, allowed: Collection[str] | None = None) -> dict[str, Node]:
    """The entries of a mapping; raises Misplaced for another node, a key twice, or a key that is not allowed."""
    if not isinstance(node, MappingNode):
        raise Misplaced(line_of(node), f"{what} must be entries of the form `key: value`")
    found: dict[str, Node] = {}
    for key, value in node.value:
        name = text(key, "a key")
        if allowed is not None and name not in allowed:
            near = get_close_matches(name, allowed, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(allowed)}"
            raise Misplaced(line_of(key), f"{what} has no key {name}; {hint}")
        if name in found:
            raise Misplaced(line_of(key), f"{what} has the key {name} twice")
        found[name] = value
    return found


def items(node: Node, what: str) -> Sequence[Node]:
    """The nodes of a list."""
    if not isinstance(node, SequenceNode):
        raise Misplaced(line_of(node), f"{what} must be a list, each entry behind a dash")
    return list(node.value)


def text(node: Node, what: str) -> str:
    """A scalar as it is written, not blank."""
    if not isinstance(node, ScalarNode) or not str(node.value).strip():
        raise Misplaced(line_of(node), f"{what} must be a text")
    return str(node.value).strip()


def truth(node: Node, what: str) -> bool:
    """`true` or `false`."""
    said = text(node, what).lower()
    if said not in _TRUTHS:
        raise Misplaced(line_of(node), f"{what} is true or false, not {said}")
    return _TRUTHS[said]


def number(node: Node, what: str) -> float:
    """A finite decimal number."""
    value = constant(node, what)
    if not isinstance(value, float):
        raise Misplaced(line_of(node), f"{what} must be a number, not {value}")
    return value


def constant(node: Node, what: str) -> float | str:
    """A scalar that is a number where it looks like one and stands without quotes, else a text."""
    said = text(node, what)
    if not isinstance(node, ScalarNode) or node.style is not None:
        return said
    if _DECIMAL.fullmatch(said):
        return _finite(node, float(said), what)
    if node.tag in _NO_TEXT:
        raise Misplaced(line_of(node), f"{what}: YAML reads {said} as {_NO_TEXT[node.tag]}; put it in quotes")
    return said


def _finite(node: Node, value: float, what: str) -> float:
    if not isfinite(value):
        raise Misplaced(line_of(node), f"{what} is too large")
    return value


def constants(node: Node | None, what: str) -> Mapping[str, float | str | tuple[float | str, ...]]:
    """Named numbers, texts and lists of these."""
    if node is None:
        return {}
    return {name: _constant_or_list(value, f"{what} {name}") for name, value in fields(node, what).items()}


def _constant_or_list(node: Node, what: str) -> float | str | tuple[float | str, ...]:
    if isinstance(node, SequenceNode):
        return tuple(constant(each, what) for each in items(node, what))
    return constant(node, what)
