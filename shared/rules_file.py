"""The rules file: YAML to a RuleSet, and the first mistake of each rule as a sentence with file and line."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from yaml.nodes import Node

from shared.domain.conditions import Condition, ConditionInvalid, Constant, compiled
from shared.domain.errors import RulesInvalid
from shared.domain.rules import NAMES, Rule, RuleSet
from shared.domain.wording import WORDINGS, Wording, constantly
from shared.yaml_nodes import Misplaced, constants, document, fields, items, line_of, number, text, truth

SHIPPED_RULES = Path(__file__).parent / "rules" / "shipped.yaml"
LARGEST_FILE = 256 * 1024
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_KEYS = (
    "name", "when", "weight", "text", "observed", "observed_text", "usual", "usual_text", "always_alert", "on",
)  # fmt: skip


def load_rules(path: Path) -> RuleSet:
    """The rules of a file; raises RulesInvalid with what is wrong first in each rule, a line each."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RulesInvalid(f"{path} cannot be read ({error.strerror}); give a file of rules.") from error
    return parsed_rules(content, str(path))


def parsed_rules(content: bytes, source: str) -> RuleSet:
    """The rules in the content of a file that messages call `source`; raises as `load_rules`."""
    try:
        top = fields(_document(content), "the file", ("constants", "rules"))
        named = constants(top.get("constants"), "constants")
        _refuse_shadowing(named, top)
        listed = items(top["rules"], "rules") if "rules" in top else []
        if not listed:
            raise Misplaced(1, "there are no rules; begin with `rules:` and a dash for each")
    except Misplaced as error:
        raise RulesInvalid(_sentence(source, error)) from error
    return RuleSet(tuple(_all_rules(listed, named, source)))


def _document(content: bytes) -> Node:
    if len(content) > LARGEST_FILE:
        raise Misplaced(1, f"a rules file has at most {LARGEST_FILE // 1024} KiB")
    try:
        found = document(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Misplaced(content[: error.start].count(b"\n") + 1, "this is not text in UTF-8") from error
    if found is None:
        raise Misplaced(1, "the file is empty; begin with `rules:` and a dash for each")
    return found


def _refuse_shadowing(named: Mapping[str, Constant], top: Mapping[str, Node]) -> None:
    for name in named:
        if name in NAMES or not name.isidentifier():
            problem = "is a feature or field already" if name in NAMES else "is no name"
            raise Misplaced(line_of(top["constants"]), f"the constant {name} {problem}; give it another")


def _all_rules(nodes: Sequence[Node], named: Mapping[str, Constant], source: str) -> Iterator[Rule]:
    """One rule after the other; where some are wrong, raises what is wrong first with each."""
    problems: list[str] = []
    lines: dict[str, int] = {}
    for node in nodes:
        try:
            rule = _rule(node, named)
            if (first := lines.setdefault(rule.code, line_of(node))) != line_of(node):
                raise Misplaced(line_of(node), f"the name {rule.code} is taken by the rule in line {first}")
            yield rule
        except Misplaced as error:
            problems.append(_sentence(source, error))
    if problems:
        raise RulesInvalid("\n".join(problems))


def _sentence(source: str, problem: Misplaced) -> str:
    """A hint that asks ends the sentence by itself."""
    return f"{source}, {problem}{'' if str(problem).endswith('?') else '.'}"


def _rule(node: Node, named: Mapping[str, Constant]) -> Rule:
    given = fields(node, "a rule", _KEYS)
    code = text(_needed(given, "name", node, "a rule"), "name")
    if not _CODE.fullmatch(code):
        raise Misplaced(line_of(given["name"]), f"the name {code} must be of a-z, 0-9 and _, at most 64 of them")
    what = f"rule {code}"
    return Rule(
        code=code,
        condition=_condition(_needed(given, "when", node, what), named, what),
        weight=_weight(_needed(given, "weight", node, what), what),
        text=text(_needed(given, "text", node, what), f"{what}: text"),
        observed=_wording(given, "observed", node, what),
        usual=_wording(given, "usual", node, what),
        always_alert="always_alert" in given and truth(given["always_alert"], f"{what}: always_alert"),
        on="on" not in given or truth(given["on"], f"{what}: on"),
    )


def _needed(given: Mapping[str, Node], key: str, node: Node, what: str) -> Node:
    if key not in given:
        raise Misplaced(line_of(node), f"{what} lacks `{key}`")
    return given[key]


def _condition(node: Node, named: Mapping[str, Constant], what: str) -> Condition:
    try:
        return compiled(text(node, f"{what}: when"), NAMES, named)
    except ConditionInvalid as error:
        raise Misplaced(line_of(node), f"{what}: when, column {error.column}: {error.problem}") from error


def _weight(node: Node, what: str) -> float:
    weight = number(node, f"{what}: weight")
    if not 0 < weight < 1:
        raise Misplaced(line_of(node), f"{what}: the weight must lie strictly between 0 and 1, not at {weight:g}")
    return weight


def _wording(given: Mapping[str, Node], key: str, node: Node, what: str) -> Wording:
    """By its name, or as fixed words."""
    fixed = f"{key}_text"
    if (key in given) is (fixed in given):
        raise Misplaced(line_of(node), f"{what} must have either `{key}` or `{fixed}`")
    if fixed in given:
        return constantly(text(given[fixed], f"{what}: {fixed}"))
    name = text(given[key], f"{what}: {key}")
    if name not in WORDINGS:
        near = get_close_matches(name, WORDINGS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(WORDINGS)}"
        raise Misplaced(line_of(given[key]), f"{what}: there is no wording {name}; {hint}")
    return WORDINGS[name]
