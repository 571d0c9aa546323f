"""docs/rules.md lists exactly the rules, names and wordings that the code has."""

import re
from pathlib import Path

import pytest

from shared.domain.rules import NUMBERS, TEXTS
from shared.domain.wording import WORDINGS
from shared.rules_file import SHIPPED_RULES, load_rules, parsed_rules

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "rules.md").read_text()


def section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_shipped_rules() -> None:
    lines = [line for line in section("The shipped rules").splitlines() if line.startswith("| ")][2:]
    told = [tuple(cell.strip().strip("`") for cell in line.split(" | ")) for line in lines]

    assert told == [
        (
            f"| `{rule.code}",
            f"{rule.weight:g}",
            "yes" if rule.always_alert else "",
            rule.condition.text,
            f"{rule.text} |",
        )
        for rule in load_rules(SHIPPED_RULES).rules
    ]


def test_the_wordings() -> None:
    assert re.findall(r"`(\w+)`", section("Wordings").split(":", 1)[1]) == list(WORDINGS)


@pytest.mark.parametrize("name", [*TEXTS, *NUMBERS])
def test_the_names_beside_the_features(name: str) -> None:
    assert f"`{name}`" in section("Write a rule")


def test_the_example_is_a_rules_file() -> None:
    example = section("Write a rule").split("```yaml\n")[1].split("```")[0]

    assert [rule.code for rule in parsed_rules(example.encode(), "docs/rules.md").rules] == ["large_first_amount"]
