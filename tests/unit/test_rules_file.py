"""The rules file: what it may say, and a sentence with file and line for each mistake."""

import re
from pathlib import Path

import pytest

from shared.domain.errors import ModelInvalid, RulesInvalid
from shared.domain.history import History
from shared.domain.rules import RuleSet
from shared.domain.signals import NO_SIGNALS
from shared.rules_file import LARGEST_FILE, SHIPPED_RULES, load_rules, parsed_rules
from tests.builders import a_transaction

RULE = """\
rules:
  - name: in_yen
    when: currency == "JPY" and amount >= 10
    weight: 0.2
    text: Yen
    observed: money
    usual_text: dollars
"""


def parsed(text: str) -> RuleSet:
    return parsed_rules(text.encode(), "my.yaml")


def problems(text: str) -> list[str]:
    with pytest.raises(RulesInvalid) as caught:
        parsed(text)
    return str(caught.value).splitlines()


def test_a_rule_says_all_that_it_is() -> None:
    (rule,) = parsed(RULE).rules

    assert (rule.code, rule.weight, rule.text) == ("in_yen", 0.2, "Yen")
    assert (rule.always_alert, rule.on) == (False, True)
    assert rule.condition.names == {"currency", "amount"}
    reason = rule.explain(a_transaction(), History(), NO_SIGNALS)
    assert (reason.code, reason.text, reason.observed, reason.usual) == ("in_yen", "Yen", "25.00 USD", "dollars")


@pytest.mark.parametrize(("said", "meant"), [("on", True), ("off", False), ("true", True), ("No", False)])
def test_on_and_always_alert_are_truths_in_yamls_words(said: str, meant: bool) -> None:
    (rule,) = parsed(RULE + f"    on: {said}\n    always_alert: {said}\n").rules

    assert (rule.on, rule.always_alert) == (meant, meant)


def test_constants_are_numbers_texts_and_lists() -> None:
    constants = 'constants: {few: 0777, home: "NO", far: [JPY, "1"], some: [1, 2e1]}\n'
    when = "when: amount > few and currency != home and currency in far and amount not in some"

    (rule,) = parsed(constants + RULE.replace('when: currency == "JPY" and amount >= 10', when)).rules

    assert rule.condition.names == {"amount", "currency"}


def test_the_shipped_rules_are_in_order_and_all_on() -> None:
    rules = load_rules(SHIPPED_RULES)

    assert rules.rules == rules.active
    assert rules.rules[0].code == "amount_far_above_usual"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "amount >= 10",
            "amonut >= 10",
            "line 3: rule in_yen: when, column 23: there is no feature, field or "
            "constant called amonut; did you mean amount?",
        ),
        (
            "weight: 0.2",
            "weight: 1",
            "line 4: rule in_yen: the weight must lie strictly between 0 and 1",
        ),
        ("weight: 0.2", "weight: heavy", "line 4: rule in_yen: weight must be a number, not heavy."),
        ("weight: 0.2", "weight: .nan", "line 4: rule in_yen: weight: YAML reads .nan as"),
        ("weight: 0.2", "weight: [1]", "line 4: rule in_yen: weight must be a text."),
        ("weight: 0.2", "weigth: 0.2", "line 4: a rule has no key weigth; did you mean weight?"),
        ("weight: 0.2", "colour: red", "line 4: a rule has no key colour; there are name, when,"),
        ("weight: 0.2", "text: Twice", "line 5: a rule has the key text twice"),
        ("    weight: 0.2\n", "", "line 2: rule in_yen lacks `weight`"),
        ("name: in_yen", "name: In Yen", "line 2: the name In Yen must be of a-z, 0-9 and _"),
        ("name: in_yen", "name:", "line 2: name must be a text"),
        (
            "observed: money",
            "observed: mony",
            "rule in_yen: there is no wording mony; did you mean money?",
        ),
        (
            "observed: money",
            "observed: money\n    observed_text: x",
            "must have either `observed` or",
        ),
        ("    usual_text: dollars\n", "", "line 2: rule in_yen must have either `usual` or `usual_text`"),
        ("usual_text: dollars", "usual_text: dollars\n    on: maybe", "line 8: rule in_yen: on is true or false"),
        ("rules:", "ruels:", "line 1: the file has no key ruels; did you mean rules?"),
        ("rules:", "constants: {amount: 5}\nrules:", "line 1: the constant amount is a feature or field already"),
        ("rules:", "constants: {a b: 5}\nrules:", "line 1: the constant a b is no name"),
        (
            "rules:",
            "constants: {a: yes}\nrules:",
            "line 1: constants a: YAML reads yes as a truth value; put",
        ),
        (
            "rules:",
            "constants: {a: .inf}\nrules:",
            "line 1: constants a: YAML reads .inf as a number",
        ),
        ("rules:", "constants: {a: 1e999}\nrules:", "line 1: constants a is too large"),
        ("rules:", "constants: 5\nrules:", "line 1: constants must be entries of the form `key: value`"),
        ('when: currency == "JPY" and', 'when: "JPY" == currency and', "line 3: this is not YAML"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_what_is_wrong(old: str, new: str, problem: str) -> None:
    (said,) = problems(RULE.replace(old, new))

    assert said.startswith("my.yaml, line ")
    assert problem in said
    assert re.search(r"[^.?][.?]$", said)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "line 1: the file is empty"),
        (b"# nothing\n", "line 1: the file is empty"),
        (b"rules: []\n", "line 1: there are no rules"),
        (b"constants: {a: 1}\n", "line 1: there are no rules"),
        (b"rules: 5\n", "line 1: rules must be a list, each entry behind a dash"),
        (b"rules:\n  name: x\n", "line 2: rules must be a list"),
        (b"rules:\n  - x\n", "line 2: a rule must be entries of the form"),
        (b"just words", "line 1: the file must be entries of the form"),
        (b"rules:\n\t- x\n", "line 2: this is not YAML"),
        (b"a: [1\n", "this is not YAML"),
        (b"a: \x00", "line 1: this is not YAML (a control character"),
        (b"rules:\n  - name: \xff\n", "line 2: this is not text in UTF-8"),
        (b"[" * 5000, "line 1: this is not YAML (a control character, or too deeply nested)"),
        (b"--- 1\n--- 2\n", "line 2: this is not YAML"),
        (b"#" * (LARGEST_FILE + 1), "line 1: a rules file has at most 256 KiB"),
        (b"\x1f\x8b\x08\x00", "this is not text in UTF-8"),
    ],
)
def test_so_is_a_file_that_holds_no_rules(content: bytes, problem: str) -> None:
    with pytest.raises(RulesInvalid, match=r"^my\.yaml, line") as caught:
        parsed_rules(content, "my.yaml")

    assert problem in str(caught.value)


def test_all_wrong_rules_are_told_at_once_by_their_first_mistakes() -> None:
    second = RULE.removeprefix("rules:\n")
    third = second.replace("in_yen", "other").replace("amount", "amont").replace("0.2", "7")

    said = problems(RULE + second + third)

    assert len(said) == 2
    assert said[0] == "my.yaml, line 8: the name in_yen is taken by the rule in line 2."
    assert "line 15: rule other: when, column 23" in said[1]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RulesInvalid, match=r"none.yaml cannot be read \(No such file or directory\)"):
        load_rules(tmp_path / "none.yaml")


def test_a_model_with_such_rules_is_invalid() -> None:
    assert issubclass(RulesInvalid, ModelInvalid)
