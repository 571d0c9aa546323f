"""Rules: declared, ordered conditions over a transaction, its account's history and its features.

Each names its weight (how much of the remaining doubt a hit removes) and explains itself with the observed and
the usual value.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter, itemgetter

from shared.domain.condition_steps import Kind, Term
from shared.domain.conditions import Condition
from shared.domain.decision import Reason
from shared.domain.features import FEATURES, last_distance_km
from shared.domain.history import History
from shared.domain.signals import Signals
from shared.domain.transaction import Transaction
from shared.domain.wording import Wording


@dataclass(frozen=True, slots=True)
class Rule:
    """`code` is stable; `weight` in (0, 1); `always_alert` raises an alert whatever the risk's band.

    One that is not `on` takes part in nothing; it can be backtested.
    """

    code: str
    condition: Condition
    weight: float
    text: str
    observed: Wording
    usual: Wording
    always_alert: bool = False
    on: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.weight < 1:
            raise ValueError(f"rule {self.code}: the weight must lie strictly between 0 and 1")

    def explain(self, transaction: Transaction, history: History, signals: Signals) -> Reason:
        """The reason that a hit gives."""
        past = (transaction, history, signals)
        return Reason(self.code, self.text, self.observed(*past), self.usual(*past))


TEXTS = ("account_id", "merchant_id", "merchant_category", "currency", "channel", "device_id", "ip_address")
"""Fields of the transaction that conditions compare as texts."""

NUMBERS: Mapping[str, Callable[[Transaction, History], float]] = {"last_distance_km": last_distance_km}
"""What conditions may ask beside the features; computed only where a condition gets that far."""

_TRANSACTION, _HISTORY = -2, -1
"""A case is the row of features, then these two."""


def _text(field: str) -> Term:
    read = attrgetter(field)
    return Term(Kind.TEXT, lambda case: read(case[_TRANSACTION]))


def _number(number: Callable[[Transaction, History], float]) -> Term:
    return Term(Kind.NUMBER, lambda case: number(case[_TRANSACTION], case[_HISTORY]))


NAMES: Mapping[str, Term] = {
    **{name: _text(name) for name in TEXTS},
    **{name: _number(number) for name, number in NUMBERS.items()},
    **{name: Term(Kind.NUMBER, itemgetter(column)) for column, name in enumerate(FEATURES)},
}
"""What a condition can name."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules in their order; each code once."""

    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        if len({rule.code for rule in self.rules}) < len(self.rules):
            raise ValueError("two rules have the same code")

    @property
    def active(self) -> tuple[Rule, ...]:
        """Those that are on."""
        return tuple([rule for rule in self.rules if rule.on])

    def all_on(self) -> "RuleSet":
        """The same rules, all switched on."""
        return RuleSet(tuple(replace(rule, on=True) for rule in self.rules))

    def hits(
        self,
        transactions: Sequence[Transaction],
        histories: Sequence[History],
        rows: Sequence[Sequence[float]],
    ) -> list[tuple[bool, ...]]:
        """For each transaction whether each active rule fires; `rows` as `feature_row` gives them."""
        tests = [rule.condition.holds for rule in self.active]
        pasts = zip(rows, transactions, histories, strict=True)
        cases = [(*row, transaction, history) for row, transaction, history in pasts]
        return [tuple([test(case) for test in tests]) for case in cases]
