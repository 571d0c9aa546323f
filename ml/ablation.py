"""What a model is worth without one of its parts: each group of features, each rule, each component in turn."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ml.dataset import Dataset
from ml.experiment import Experiment
from ml.fit import Growth, combine, grow, risks
from ml.metrics import Ranking
from ml.runs import Scored
from shared.domain.rules import RuleSet

Floats = NDArray[np.float64]

GROUPS: dict[str, tuple[str, ...]] = {
    "amount against the account": ("amount", "amount_zscore", "amount_ratio"),
    "amount against price levels": ("category_amount_zscore", "merchant_amount_zscore"),
    "spend in windows": ("amount_24h", "amount_24h_ratio", "mean_amount_24h_ratio", "amount_7d_ratio"),
    "pace": (
        "num_tx_24h_ratio", "num_tx_last_24h", "num_tx_last_1h", "num_tx_last_5min", "log_seconds_since_last",
        "recent_refusals",
    ),
    "new merchant and category": ("new_merchant", "new_category"),
    "fraud shares": ("merchant_risk_7d", "merchant_risk_score", "category_risk_score"),
    "place": ("geo_distance", "log_speed"),
    "hour": ("hour_of_day", "hour_habit"),
}  # fmt: skip
"""Every feature in one group."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a model does without: features, rules by their column, the forest."""

    name: str
    features: tuple[str, ...] = ()
    rules: tuple[int, ...] = ()
    forest: bool = False


def parts(rules: RuleSet) -> tuple[LeftOut, ...]:
    """Nothing, then each component, each group of features and each rule."""
    codes = [rule.code for rule in rules.active]
    return (
        LeftOut("nothing"),
        LeftOut("the forest", forest=True),
        LeftOut("all rules", rules=tuple(range(len(codes)))),
        *(LeftOut(f"features: {name}", features=group) for name, group in GROUPS.items()),
        *(LeftOut(f"rule: {code}", rules=(at,)) for at, code in enumerate(codes)),
    )


@dataclass(frozen=True, eq=False)
class Ablation:
    """Leaves parts out of the models of one replayed file; what they share is computed once."""

    experiment: Experiment
    rules: RuleSet
    anomalies: dict[tuple[tuple[str, ...], int], tuple[Floats, Floats]] = field(default_factory=dict)

    def ranking(self, part: LeftOut, growth: Growth) -> Ranking | None:
        """How well the labelled transactions of the test days are ranked without the part.

        Rules that stay keep what they saw of features that are left out.
        """
        experiment = self.experiment
        window = experiment.window.without(part.features, part.rules)
        test = experiment.test.without(part.features, part.rules)
        in_window, in_test = self._anomalies(part, window, test, growth)
        _, fitted = combine(window, in_window, experiment.window_labels, self.rules, growth.seed)
        return Scored(test, in_test, risks(fitted, test, in_test)).ranking()

    def _anomalies(self, part: LeftOut, window: Dataset, test: Dataset, growth: Growth) -> tuple[Floats, Floats]:
        if part.forest:
            return np.zeros(len(window)), np.zeros(len(test))
        key = part.features, growth.seed
        if key not in self.anomalies:
            _, forest = grow(window, growth)
            self.anomalies[key] = (
                np.array(forest.anomaly(window.features)),
                np.array(forest.anomaly(test.features)),
            )
        return self.anomalies[key]
