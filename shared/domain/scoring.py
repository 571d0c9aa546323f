"""One decision per transaction: features, forest, rules, risk, label and reasons. Pure computation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.domain.decision import Decision, Reason, RiskLabel
from shared.domain.feature_reasons import Case
from shared.domain.features import feature_row
from shared.domain.history import History
from shared.domain.lists import NO_LISTS, Lists
from shared.domain.reasons import Evidence, rule_reasons, strongest
from shared.domain.risk import Calibration, Combiner, Findings, Thresholds
from shared.domain.rules import RuleSet
from shared.domain.signals import NO_SIGNALS, Signals
from shared.domain.transaction import Transaction

Row = tuple[float, ...]
Hits = tuple[bool, ...]
Watch = Callable[[Sequence[Row], Sequence[float]], None]
"""Is told the features and the risks of each batch, before lists settle it; must not fail."""


def unwatched(_rows: Sequence[Row], _risks: Sequence[float]) -> None:
    """The watch that nobody keeps."""


class Forest(Protocol):
    """An isolation forest over rows of `feature_row`; NaN in a row means absent."""

    def anomaly(self, rows: Sequence[Row]) -> list[float]:
        """Anomaly score in (0, 1) of each row, higher is stranger."""

    def contributions(self, rows: Sequence[Row]) -> list[tuple[float, ...]]:
        """How much each feature adds to each row's anomaly (below 0: takes from it); of use as an order."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """Implements ports.Scorer. The version names the trained model that its parts up to the thresholds belong to.

    `lists` holds what has not expired: give `Lists.at(now)` anew for each batch.
    """

    forest: Forest
    rules: RuleSet
    combiner: Combiner
    calibration: Calibration
    thresholds: Thresholds
    model_version: str
    signals: Signals = NO_SIGNALS
    lists: Lists = NO_LISTS
    watch: Watch = unwatched

    def decide(self, transactions: Sequence[Transaction], histories: Sequence[History]) -> list[Decision]:
        """One decision per transaction, in order; the sequences must be equally long."""
        if not transactions:
            return []
        cases = [(*past, self.signals) for past in zip(transactions, histories, strict=True)]
        rows = [feature_row(*case) for case in cases]
        anomalies, rules = self.forest.anomaly(rows), self.rules.active
        hits = self.rules.hits(transactions, histories, rows)
        risks = self.combiner.risks(Findings(rows, anomalies, hits))
        self.watch(rows, risks)
        always = [any(hit and rule.always_alert for hit, rule in zip(each, rules, strict=True)) for each in hits]
        explained = [*map(self._is_explained, transactions, risks, always)]
        reasons = self._reasons(cases, rows, anomalies, hits, explained)
        decisions = map(self._decision, anomalies, risks, reasons, always)
        settled = zip(transactions, decisions, always, strict=True)
        return [self.lists.settled(each, decision, always_alerts=alerts) for each, decision, alerts in settled]

    def _decision(self, anomaly: float, risk: float, reasons: tuple[Reason, ...], always_alerts: bool) -> Decision:
        label = self.thresholds.label(risk)
        return Decision(
            anomaly=anomaly,
            risk=risk,
            label=label,
            reasons=reasons,
            raises_alert=label is RiskLabel.HIGH or always_alerts,
            threshold=self.thresholds.high,
            model_version=self.model_version,
        )

    def _is_explained(self, transaction: Transaction, risk: float, always_alerts: bool) -> bool:
        """Whether somebody will look at it."""
        is_low = self.thresholds.label(risk) is RiskLabel.LOW
        return not is_low or always_alerts or self.lists.blocks(transaction)

    def _reasons(
        self,
        cases: Sequence[Case],
        rows: Sequence[Row],
        anomalies: Sequence[float],
        hits: Sequence[Hits],
        explained: Sequence[bool],
    ) -> list[tuple[Reason, ...]]:
        """The strongest of what is explained; elsewhere the rules that fired, which costs nothing."""
        rules = self.rules.active
        told = [rule_reasons(case, rules, fired) for case, fired in zip(cases, hits, strict=True)]
        at = [n for n, wanted in enumerate(explained) if wanted]
        if at:
            findings = Findings([rows[n] for n in at], [anomalies[n] for n in at], [hits[n] for n in at])
            made_of = self.combiner.contributions(findings)
            shortened = self.forest.contributions([rows[n] for n in at])
            for n, parts, path in zip(at, made_of, shortened, strict=True):
                tail = self.calibration.tail(anomalies[n])
                told[n] = strongest(Evidence(cases[n], rows[n], rules, hits[n], parts, path, tail))
        return told
