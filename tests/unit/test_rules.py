"""The rules: each one fires on its case and not beside it, and says so in an analyst's words."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from math import log
from typing import Any

import pytest

from shared.domain.features import feature_row
from shared.domain.history import History
from shared.domain.rules import Rule, RuleSet
from shared.domain.signals import FraudShare, PriceLevel, Signals
from shared.domain.transaction import Place, Transaction
from shared.rules_file import SHIPPED_RULES, load_rules
from tests.builders import NOON, a_transaction
from tests.habits import REGULAR

NEW_YORK, BOSTON, TOKYO = Place(40.7128, -74.006), Place(42.3601, -71.0589), Place(35.6764, 139.65)
AN_HOUR_AGO = NOON - timedelta(hours=1)
QUARTER_AGO = NOON - timedelta(minutes=15)
NIGHT = NOON + timedelta(hours=11)


RULES = load_rules(SHIPPED_RULES)
SIGNALS = Signals(
    category_prices={"jewels": PriceLevel(100, log(200), 0.5)},
    merchant_risk={"mer-bad": FraudShare(0.25, 0.15), "mer-fair": FraudShare(0.15, 0.25)},
    usual=FraudShare(0.01, 0.01),
)
Case = tuple[Transaction, History]


def a_case(changes: dict[str, Any], history: History) -> Case:
    return a_transaction(**changes), history


def fired(rules: RuleSet, case: Case) -> list[Rule]:
    (verdicts,) = rules.hits([case[0]], [case[1]], [feature_row(*case, SIGNALS)])
    return [rule for rule, hit in zip(rules.active, verdicts, strict=True) if hit]


def in_new_york(at: Any) -> History:
    return replace(REGULAR, last_at=at, last_place=NEW_YORK)


Example = tuple[str, dict[str, Any], History]
FIRES: list[Example] = [
    ("amount_far_above_usual", {"amount": Decimal(100)}, REGULAR),
    ("large_first_amount", {"amount": Decimal("9999.99")}, History()),
    ("large_first_amount", {"amount": Decimal(450_000), "currency": "JPY"}, History()),
    ("large_first_amount", {"amount": Decimal("900.000"), "currency": "KWD"}, History()),
    ("spending_far_above_usual", {"amount": Decimal(10)}, replace(REGULAR, amount_24h=40_000)),
    ("card_testing", {"amount": Decimal(1)}, replace(REGULAR, count_5min=4)),
    ("velocity_1h", {}, replace(REGULAR, count_1h=8, count_24h=8)),
    ("velocity_1h", {}, History(count_1h=8, count_24h=8)),
    ("impossible_travel", {"place": TOKYO}, in_new_york(AN_HOUR_AGO)),
    ("improbable_travel", {"place": BOSTON}, in_new_york(QUARTER_AGO)),
    ("far_from_home", {"place": TOKYO, "home": NEW_YORK}, REGULAR),
    ("refused_recently", {}, replace(REGULAR, recent_refusals=5)),
    ("new_merchant_large_amount", {"amount": Decimal(100)}, REGULAR),
    ("night_large_amount", {"amount": Decimal(100), "occurred_at": NIGHT}, REGULAR),
    ("night_large_amount", {"amount": Decimal(100), "occurred_at": NIGHT + timedelta(hours=4)}, REGULAR),
    ("night_high_price", {"amount": Decimal(500), "merchant_category": "jewels", "occurred_at": NIGHT}, History()),
    ("far_below_price_level", {"amount": Decimal(5), "merchant_category": "jewels"}, REGULAR),
    ("merchant_with_frauds", {"merchant_id": "mer-bad"}, REGULAR),
]
DOES_NOT_FIRE: list[Example] = [
    ("amount_far_above_usual", {"amount": Decimal(100)}, History()),
    ("amount_far_above_usual", {"amount": Decimal(15)}, REGULAR),
    ("large_first_amount", {"amount": Decimal("2999.99")}, History()),
    ("large_first_amount", {"amount": Decimal(9999), "currency": "JPY"}, History()),
    ("large_first_amount", {"amount": Decimal("9999.99")}, REGULAR),
    ("spending_far_above_usual", {"amount": Decimal(10)}, replace(REGULAR, amount_24h=10_000)),
    ("spending_far_above_usual", {"amount": Decimal(500)}, History()),
    ("card_testing", {"amount": Decimal(1)}, replace(REGULAR, count_5min=3)),
    ("card_testing", {"amount": Decimal(6)}, replace(REGULAR, count_5min=4)),
    ("velocity_1h", {}, replace(REGULAR, count_1h=7, count_24h=8)),
    ("velocity_1h", {}, replace(REGULAR, count_1h=8, count_24h=7)),
    ("impossible_travel", {"place": TOKYO}, in_new_york(NOON - timedelta(hours=14))),
    ("impossible_travel", {"place": BOSTON}, in_new_york(QUARTER_AGO)),
    ("impossible_travel", {"place": TOKYO}, REGULAR),
    ("improbable_travel", {"place": BOSTON}, in_new_york(AN_HOUR_AGO)),
    ("improbable_travel", {"place": TOKYO}, in_new_york(AN_HOUR_AGO)),
    ("far_from_home", {"place": BOSTON, "home": NEW_YORK}, REGULAR),
    ("far_from_home", {"place": TOKYO}, REGULAR),
    ("refused_recently", {}, replace(REGULAR, recent_refusals=4)),
    ("new_merchant_large_amount", {"amount": Decimal(100)}, replace(REGULAR, knows_merchant=True)),
    ("new_merchant_large_amount", {"amount": Decimal(100)}, History()),
    ("night_large_amount", {"amount": Decimal(100)}, REGULAR),
    ("night_large_amount", {"amount": Decimal(10), "occurred_at": NIGHT}, REGULAR),
    ("night_high_price", {"amount": Decimal(500), "merchant_category": "jewels"}, History()),
    ("night_high_price", {"amount": Decimal(200), "merchant_category": "jewels", "occurred_at": NIGHT}, History()),
    ("night_high_price", {"amount": Decimal(500), "occurred_at": NIGHT}, History()),
    ("far_below_price_level", {"amount": Decimal(50), "merchant_category": "jewels"}, REGULAR),
    ("far_below_price_level", {"amount": Decimal(5), "merchant_category": "unheard of"}, REGULAR),
    ("merchant_with_frauds", {"merchant_id": "mer-fair"}, REGULAR),
    ("merchant_with_frauds", {}, REGULAR),
]


def codes(case: Case) -> list[str]:
    return [rule.code for rule in fired(RULES, case)]


@pytest.mark.parametrize(("code", "changes", "history"), FIRES)
def test_a_rule_fires(code: str, changes: dict[str, Any], history: History) -> None:
    assert code in codes(a_case(changes, history))


@pytest.mark.parametrize(("code", "changes", "history"), DOES_NOT_FIRE)
def test_a_rule_does_not_fire_beside_its_case(code: str, changes: dict[str, Any], history: History) -> None:
    assert code not in codes(a_case(changes, history))


def test_each_rule_has_examples_of_both() -> None:
    declared = [rule.code for rule in RULES.rules]

    assert len(declared) == len(set(declared)) >= 8
    assert {code for code, *_ in FIRES} == {code for code, *_ in DOES_NOT_FIRE} == set(declared)


def test_an_ordinary_transaction_breaks_no_rule() -> None:
    assert codes(a_case({}, REGULAR)) == codes(a_case({}, History())) == []


@pytest.mark.parametrize(("code", "changes", "history"), FIRES)
def test_a_rule_explains_itself_with_the_observed_and_the_usual_value(
    code: str, changes: dict[str, Any], history: History
) -> None:
    case = a_case(changes, history)
    (rule,) = [rule for rule in RULES.rules if rule.code == code]

    reason = rule.explain(*case, SIGNALS)

    assert reason.code == code
    assert reason.text
    assert reason.observed
    assert reason.usual
    assert "nan" not in reason.observed + reason.usual


@pytest.mark.parametrize(
    ("code", "changes", "history", "observed", "usual"),
    [
        ("amount_far_above_usual", {"amount": Decimal(1412)}, REGULAR, "1,412.00 USD", "10.00 ± 0.00 USD"),
        (
            "large_first_amount",
            {"amount": Decimal(5000)},
            History(),
            "5,000.00 USD",
            "0 payments in USD in the last month",
        ),
        (
            "card_testing",
            {"amount": Decimal(1)},
            replace(REGULAR, count_5min=4),
            "5th payment in 5 min",
            "2.0 payments a day",
        ),
        (
            "impossible_travel",
            {"place": TOKYO},
            in_new_york(AN_HOUR_AGO),
            "10,852 km at 10,852 km/h",
            "at most 900 km/h",
        ),
        (
            "far_below_price_level",
            {"amount": Decimal(450), "currency": "JPY", "merchant_category": "jewels"},
            REGULAR,
            "450 JPY in jewels",
            "18,196 to 49,462 JPY there",
        ),
        (
            "merchant_with_frauds",
            {"merchant_id": "mer-bad"},
            REGULAR,
            "25.0% fraud at mer-bad by the labels of a week",
            "1.0% everywhere",
        ),
    ],
)
def test_in_these_words(code: str, changes: dict[str, Any], history: History, observed: str, usual: str) -> None:
    case = a_case(changes, history)

    reasons = {rule.code: rule.explain(*case, SIGNALS) for rule in fired(RULES, case)}

    assert (reasons[code].observed, reasons[code].usual) == (observed, usual)


@pytest.mark.parametrize("weight", [0, 1, -0.1, 1.5])
def test_a_weight_lies_strictly_between_0_and_1(weight: float) -> None:
    with pytest.raises(ValueError, match="strictly between"):
        replace(RULES.rules[0], weight=weight)


def test_a_batch_is_answered_in_order_with_a_verdict_for_each_active_rule() -> None:
    cases = [a_case({}, REGULAR), a_case({"amount": Decimal("9999.99")}, History()), a_case({}, History())]
    transactions, histories = zip(*cases, strict=True)

    verdicts = RULES.hits(transactions, histories, [feature_row(*case, SIGNALS) for case in cases])

    assert [sum(each) for each in verdicts] == [0, 1, 0]
    assert all(len(each) == len(RULES.active) for each in verdicts)
    assert RULES.hits([], [], []) == []


def test_a_rule_that_is_off_takes_part_in_nothing_until_it_is_on() -> None:
    case = a_case({"amount": Decimal("9999.99")}, History())
    (wanted,) = fired(RULES, case)
    rules = RuleSet(tuple(replace(rule, on=rule is not wanted) for rule in RULES.rules))

    assert fired(rules, case) == []
    assert wanted.code not in [rule.code for rule in rules.active]
    assert fired(rules.all_on(), case) == [wanted]


def test_two_rules_cannot_have_one_code() -> None:
    with pytest.raises(ValueError, match="same code"):
        RuleSet((RULES.rules[0], RULES.rules[0]))


def test_without_rules_nothing_fires() -> None:
    assert fired(RuleSet(), a_case({}, REGULAR)) == []
