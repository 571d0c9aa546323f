"""What a model is worth without one of its parts: each group of features, each rule, each component in turn."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ml.calibration import knots
from ml.combiner import combiner_of
from ml.dataset import Dataset
from ml.experiment import Experiment
from ml.fit import Growth, grow, noisy_or
from ml.manifest import Knots, Mode
from ml.metrics import Ranking
from ml.runs import Scored
from shared.domain.risk import Findings
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

SIGNALS = GROUPS["amount against price levels"] + GROUPS["fraud shares"]
"""What comes from the daily snapshot of merchants and categories."""

_GRID = np.linspace(0, 1, 101)[:-1]
UNCALIBRATED = Knots(anomalies=(*_GRID.round(9).tolist(), 1.0), tails=(*((1 - _GRID) ** 3).tolist(), 1e-9))
"""Makes evidence of an anomaly that equals it (see shared.domain.risk), wherever the training window's lie."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a model does without: features, rules by column, the forest, its calibration, what labels taught."""

    name: str
    features: tuple[str, ...] = ()
    rules: tuple[int, ...] = ()
    forest: bool = False
    calibration: bool = False
    labels: bool = False


def parts(rules: RuleSet) -> tuple[LeftOut, ...]:
    """Nothing, then each component, each group of features and each rule."""
    codes = [rule.code for rule in rules.active]
    of_signals = [at for at, rule in enumerate(rules.active) if rule.condition.names & set(SIGNALS)]
    return (
        LeftOut("nothing"),
        LeftOut("the forest", forest=True),
        LeftOut("all rules", rules=tuple(range(len(codes)))),
        LeftOut("daily signals (features and rules)", features=SIGNALS, rules=tuple(of_signals)),
        LeftOut("what labels taught (noisy-or instead)", labels=True),
        LeftOut("calibration of the anomaly", calibration=True),
        *(LeftOut(f"features: {name}", features=group) for name, group in GROUPS.items()),
        *(LeftOut(f"rule: {code}", rules=(at,)) for at, code in enumerate(codes)),
    )


@dataclass(frozen=True, eq=False)
class Ablation:
    """Leaves parts out of the models of one replayed file; what they share is computed once.

    `modes` are those of the whole models, by seed: they are kept without a contest.
    """

    experiment: Experiment
    rules: RuleSet
    modes: dict[int, Mode]
    anomalies: dict[tuple[tuple[str, ...], int], tuple[Floats, Floats]] = field(default_factory=dict)

    def ranking(self, part: LeftOut, growth: Growth) -> Ranking | None:
        """How well the labelled transactions of the test days are ranked without the part.

        Rules that stay keep what they saw of features that are left out.
        """
        experiment = self.experiment
        window = experiment.window.without(part.features, part.rules)
        test = experiment.test.without(part.features, part.rules)
        in_window, in_test = self._anomalies(part, window, test, growth)
        unlabelled = noisy_or(UNCALIBRATED if part.calibration else knots(in_window), self.rules)
        findings = Findings(window.features, in_window, window.hits)
        mode = "unlabelled" if part.labels else self.modes[growth.seed]
        combiner = combiner_of(mode, findings, experiment.window_labels, unlabelled=unlabelled, seed=growth.seed)
        risk = np.array(combiner.risks(Findings(test.features, in_test, test.hits)))
        return Scored(test, in_test, risk).ranking()

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
