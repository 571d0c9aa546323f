"""All that one batch is decided with: models, lists and signals of one moment."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.decision import Decision
from shared.domain.deployment import Canary
from shared.domain.history import History
from shared.domain.lists import Lists
from shared.domain.scoring import Scorer
from shared.domain.signals import Signals
from shared.domain.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Trial:
    """A model that decides for the accounts that the canary takes."""

    canary: Canary
    scorer: Scorer


@dataclass(frozen=True, slots=True)
class ScoringSnapshot:
    """A champion decides, or the model on trial for its accounts; shadows never act."""

    champion: Scorer
    trial: Trial | None = None
    shadows: tuple[Scorer, ...] = ()

    @property
    def scorers(self) -> tuple[Scorer, ...]:
        """Every model of it."""
        return (self.champion, *((self.trial.scorer,) if self.trial else ()), *self.shadows)

    def equipped(self, lists: Lists, signals: Signals | None) -> "ScoringSnapshot":
        """Every model with these lists, and with the newest signals if there are any."""

        def with_them(scorer: Scorer) -> Scorer:
            known = scorer.signals if signals is None else completed(signals, scorer.signals)
            return replace(scorer, lists=lists, signals=known)

        trial = self.trial and replace(self.trial, scorer=with_them(self.trial.scorer))
        return ScoringSnapshot(with_them(self.champion), trial, tuple(map(with_them, self.shadows)))

    def at(self, now: datetime) -> "ScoringSnapshot":
        """The same without what has expired on the lists."""
        lists = self.champion.lists
        return self.equipped(lists.at(now), None) if lists.entries else self

    def decide(self, transactions: Sequence[Transaction], histories: Sequence[History]) -> list[Decision]:
        """One decision per transaction, in order, by the model of its account."""
        if self.trial is None:
            return self.champion.decide(transactions, histories)
        on_trial = [self.trial.canary.takes(each.account_id) for each in transactions]
        decided: dict[int, Decision] = {}
        for scorer, wanted in ((self.champion, False), (self.trial.scorer, True)):
            places = [n for n, chosen in enumerate(on_trial) if chosen is wanted]
            decisions = scorer.decide([transactions[n] for n in places], [histories[n] for n in places])
            decided |= zip(places, decisions, strict=True)
        return [decided[n] for n in range(len(transactions))]


def completed(newest: Signals, trained: Signals) -> Signals:
    """The newest signals; what they do not know yet is taken from those that the model was trained with.

    Prices are completed one by one, shares of fraud as a whole: they are relative to one usual share.
    """
    prices = replace(
        newest,
        category_prices={**trained.category_prices, **newest.category_prices},
        merchant_prices={**trained.merchant_prices, **newest.merchant_prices},
    )
    if newest.usual is not None:
        return prices
    return replace(
        prices, usual=trained.usual, merchant_risk=trained.merchant_risk, category_risk=trained.category_risk
    )
