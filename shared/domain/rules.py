"""The rules: declared, ordered conditions over a transaction, its account's history and its features.

Each names its weight (how much of the remaining doubt a hit removes) and explains itself with the observed and
the usual value. A comparison with NaN is false, so a rule about absent data does not fire.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isnan, log1p

from shared.domain.decision import Reason
from shared.domain.features import last_distance_km
from shared.domain.history import History
from shared.domain.transaction import Transaction
from shared.domain.wording import (
    account_age,
    amount_and_merchant,
    count_in,
    distance_from_home,
    money,
    refusals,
    speed,
    spent_24h,
    time_of_day,
    usual_money,
    usual_pace,
    usual_spend,
)


@dataclass(frozen=True, slots=True)
class Case:
    """What a rule sees: the transaction, its account's past, and its features by name (NaN where absent)."""

    transaction: Transaction
    history: History
    features: Mapping[str, float]

    def __getitem__(self, feature: str) -> float:
        return self.features[feature]


Wording = Callable[[Transaction, History], str]


@dataclass(frozen=True, slots=True)
class Rule:
    """`code` is stable; `weight` in (0, 1); `always_alert` raises an alert whatever the risk's band."""

    code: str
    applies: Callable[[Case], bool]
    weight: float
    text: str
    observed: Wording
    usual: Wording
    always_alert: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.weight < 1:
            raise ValueError(f"rule {self.code}: the weight must lie strictly between 0 and 1")

    def explain(self, case: Case) -> Reason:
        """The reason that a hit gives."""
        past = (case.transaction, case.history)
        return Reason(self.code, self.text, self.observed(*past), self.usual(*past))


def fired(rules: Sequence[Rule], case: Case) -> tuple[Rule, ...]:
    """The rules that apply, in the order of `rules`."""
    return tuple([rule for rule in rules if rule.applies(case)])


LARGE, SMALL = 3000.0, 5.0
"""Amounts in roughly dollars: large for a first purchase, and small enough to test whether a card works."""

NIGHT = (22.0, 4.0)
FASTEST_JOURNEY_KMH = 900.0
FASTEST_LOG_SPEED = log1p(FASTEST_JOURNEY_KMH)
ANOTHER_PLACE_KM, DISTANT_KM = 100.0, 500.0
"""Between these a shop's registered address may explain a journey; beyond them nothing does."""


def _at_night(case: Case) -> bool:
    return case["hour_of_day"] >= NIGHT[0] or case["hour_of_day"] < NIGHT[1]


def _travelled_faster_than_any_plane(case: Case, at_least_km: float, below_km: float) -> bool:
    faster = case["log_speed"] >= FASTEST_LOG_SPEED
    return faster and at_least_km <= last_distance_km(case.transaction, case.history) < below_km


def _always(words: str) -> Wording:
    return lambda _transaction, _history: words


_FASTEST = _always(f"at most {FASTEST_JOURNEY_KMH:.0f} km/h")

RULES: tuple[Rule, ...] = (
    Rule(
        "amount_far_above_usual",
        lambda case: case["amount_zscore"] >= 2.5 and case["amount"] >= 50,
        0.3,
        "The amount is far above what this account usually spends",
        money,
        usual_money,
    ),
    Rule(
        "large_first_amount",
        lambda case: case["amount"] >= LARGE and isnan(case["amount_zscore"]),
        0.97,
        "A very large amount from an account without a history in this currency",
        money,
        account_age,
        always_alert=True,
    ),
    Rule(
        "spending_far_above_usual",
        lambda case: case["amount_24h_ratio"] >= 6 and case["amount_24h"] >= 300,
        0.5,
        "The account spends far more within 24 hours than it usually does",
        spent_24h,
        usual_spend,
    ),
    Rule(
        "card_testing",
        lambda case: case["num_tx_last_5min"] >= 4 and case["amount"] <= SMALL,
        0.9,
        "Many payments within minutes and a small amount: somebody may be trying out the card",
        count_in("5 min"),
        usual_pace,
    ),
    Rule(
        "velocity_1h",
        lambda case: case["num_tx_last_1h"] >= 8 and not case["num_tx_24h_ratio"] < 3,
        0.4,
        "Far more payments within the hour than usual",
        count_in("1 h"),
        usual_pace,
    ),
    Rule(
        "impossible_travel",
        lambda case: _travelled_faster_than_any_plane(case, DISTANT_KM, inf),
        0.9,
        "The card was used faster at a distant place than anybody travels",
        speed,
        _FASTEST,
    ),
    Rule(
        "improbable_travel",
        lambda case: _travelled_faster_than_any_plane(case, ANOTHER_PLACE_KM, DISTANT_KM),
        0.3,
        "The card was used faster at another place than anybody travels",
        speed,
        _FASTEST,
    ),
    Rule(
        "far_from_home",
        lambda case: case["geo_distance"] >= 1000,
        0.25,
        "The payment was made far from the card holder's home",
        distance_from_home,
        _always("below 1,000 km"),
    ),
    Rule(
        "refused_recently",
        lambda case: case["recent_refusals"] >= 5,
        0.5,
        "The account posted so often within the hour that it was refused",
        refusals,
        _always("none"),
    ),
    Rule(
        "new_merchant_large_amount",
        lambda case: case["new_merchant"] == 1 and case["amount_zscore"] >= 1.5 and case["amount"] >= 100,
        0.1,
        "A large amount at a merchant that this account never paid before",
        amount_and_merchant,
        usual_money,
    ),
    Rule(
        "night_large_amount",
        lambda case: _at_night(case) and case["amount_zscore"] >= 1.5 and case["amount"] >= 100,
        0.3,
        "A large amount at night (UTC)",
        time_of_day,
        usual_money,
    ),
)
