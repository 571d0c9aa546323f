"""The language of conditions: what it means, and what it says of what it does not understand."""

from math import nan
from operator import itemgetter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.condition_steps import Kind, Term
from shared.domain.conditions import LONGEST, ConditionInvalid, compiled

NAMES = {
    "amount": Term(Kind.NUMBER, itemgetter(0)),
    "pace": Term(Kind.NUMBER, itemgetter(1)),
    "channel": Term(Kind.TEXT, itemgetter(2)),
    "ip_address": Term(Kind.TEXT, itemgetter(3)),
}
CONSTANTS = {"large": 100.0, "web": "online", "risky": ("atm", "phone"), "round": (50.0, 100.0)}


def holds(
    text: str, amount: float = 50.0, pace: float = 2.0, channel: Any = "online", ip_address: Any = None
) -> bool:
    return compiled(text, NAMES, CONSTANTS).holds((amount, pace, channel, ip_address))


@pytest.mark.parametrize(
    "text",
    [
        "amount == 50",
        "amount >= 50 and amount <= 50 and amount > 49.5 and amount < 50.5 and amount != 51",
        "49 < amount <= 50",
        "amount < 0 or pace == 2",
        "not amount > 50",
        "not (amount > 50 or pace > 2)",
        "amount > 50 or pace > 1 and pace < 3",
        "large > amount",
        "amount + pace == 52 and amount - pace == 48 and amount * pace == 100 and amount / pace == 25",
        "amount == large / 2 and -amount == -50 and amount > -large",
        "amount in [25, 50] and amount in round and amount not in [51, -1]",
        "channel == web and channel != 'atm' and 'online' == channel",
        "channel in ['online', 'phone'] and channel not in risky",
        "known(channel) and missing(ip_address) and known(amount)",
        "amount > 1e1\n and pace < 1_000",
    ],
)
def test_this_holds_of_50_at_pace_2_online(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "amount != 50",
        "50 < amount <= 60",
        "amount in [51]",
        "channel in risky",
        "missing(channel)",
        "not not amount > 50",
        "(amount > 50 or pace > 1) and pace > 3",
    ],
)
def test_and_this_does_not(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">=", "==", "!="])
def test_a_comparison_with_an_absent_number_is_false(operator: str) -> None:
    assert not holds(f"amount {operator} 50", amount=nan)
    assert not holds(f"50 {operator} amount", amount=nan)
    assert not holds(f"pace + amount * 2 {operator} pace", amount=nan)


@pytest.mark.parametrize(
    "text",
    [
        "ip_address == channel",
        "ip_address != 'x'",
        "channel != ip_address",
        "ip_address in ['x']",
        "ip_address not in ['x']",
        "amount / (pace - 2) > 0 or amount / (pace - 2) <= 0",
    ],
)
def test_so_is_one_with_an_absent_text_or_a_division_by_zero(text: str) -> None:
    assert not holds(text, channel=None)


def test_not_in_is_false_of_an_absent_number() -> None:
    assert not holds("amount not in [1, 2]", amount=nan)


def test_a_condition_tells_its_text_and_the_names_it_reads() -> None:
    condition = compiled(" amount > large\n or missing(channel) ", NAMES, CONSTANTS)

    assert condition.text == "amount > large  or missing(channel)"
    assert condition.names == {"amount", "channel"}


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ("amuont > 5", 1, "there is no feature, field or constant called amuont; did you mean amount?"),
        ("amount > larg", 10, "there is no feature, field or constant called larg; did you mean large?"),
        ("'é' == channel and amuont > 5", 20, "did you mean amount?"),
        ("amount > > 5", 10, "this cannot be read (invalid syntax)"),
        ("amount", 1, "amount is a number, not a condition; compare it with something"),
        ("amount > 5 and pace", 16, "pace is a number, not a condition"),
        ("amount > 'x'", 1, "amount is a number, 'x' is a text; compare like with like"),
        ("channel < 'x'", 1, "a text is not compared like this; use == != or in"),
        ("amount is 5", 1, "a number is not compared like this; use < <= > >= == != or in"),
        ("1 < 2", 1, "this compares constants only"),
        ("web in ['online']", 1, "this compares constants only"),
        ("channel in ['a', 1]", 12, "channel is a text; so must be all that the list holds"),
        ("amount in []", 11, "amount is a number; so must be all that the list holds"),
        ("amount in large", 11, "`in` wants a list"),
        ("amount > risky", 10, "risky is a list; lists stand behind `in` only"),
        ("amount + channel > 5", 10, "channel is a text; only numbers are calculated with"),
        ("known(amount) > 5", 1, "known(amount) stands where a number or a text is wanted"),
        ("known(large)", 7, "large is a constant and always known"),
        ("known(amount + 1)", 1, "the only functions are known(name) and missing(name)"),
        ("abs(amount)", 1, "the only functions are known(name) and missing(name)"),
        ("amount > True", 10, "True is neither a number nor a text in quotes"),
        ("amount > 1e999", 10, "this number is too large"),
        ("amount ** 2 > 5", 1, "amount ** 2 is not part of the language of conditions"),
        ("amount.real > 5", 1, "amount.real is not part of the language"),
        ("", 1, "this cannot be read"),
        ("(" * 300, 201, "this cannot be read"),
        ("-" * 900 + "amount > 1", 1, "too deeply nested"),
        ("amount > 1 or " * 100 + "amount > 1", LONGEST, "at most 1000 characters"),
        ("amount > 1\0", 1, "this cannot be read"),
    ],
)
def test_what_is_not_of_the_language_is_named_with_its_column(text: str, column: int, problem: str) -> None:
    with pytest.raises(ConditionInvalid) as caught:
        compiled(text, NAMES, CONSTANTS)

    assert caught.value.column == column
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true') == 0",
        "(lambda: 1)() == amount",
        "[x for x in (1, 2)] == amount",
        "channel.__class__ == 'x'",
        "channel['x'] == 'x'",
        "f'{channel}' == 'x'",
        "(amount := 5) > 1",
        "5 if amount > 1 else 6",
        "b'x' == channel",
        "None == channel",
        "... == channel",
        "{'x': 1} == channel",
        "~amount > 1",
        "amount @ pace > 1",
        "yield amount",
        "known(*channel)",
        "known(name=channel)",
    ],
)
def test_python_beyond_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(ConditionInvalid):
        compiled(text, NAMES, CONSTANTS)


WORDS = "amount pace channel large web risky and or not in ( ) [ ] , < >= == != + / - 1 0 'x' known missing . if é"
words = st.sampled_from([*WORDS.split(), "\n"])


@given(st.lists(words, max_size=12).map(" ".join), st.floats(), st.floats(), st.none() | st.text(max_size=2))
def test_any_text_is_refused_or_answers_true_or_false(
    text: str, amount: float, pace: float, channel: str | None
) -> None:
    try:
        condition = compiled(text, NAMES, CONSTANTS)
    except ConditionInvalid:
        return
    assert condition.holds((amount, pace, channel, None)) in (True, False)
