"""Combiners that labels teach: when they are taken, and what they make of a transaction."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from ml.combiner import ENOUGH_FRAUDS, FEWEST_OF_A_CLASS, Fitted, combiner_of, fit_combiner
from ml.learned import LearnedCombiner, design
from ml.logistic import LogisticRegression
from ml.manifest import Mode
from shared.domain.risk import Calibration, Combiner, EitherCombiner, Findings, NoisyOr

CALIBRATION = Calibration((0.0, 0.5, 1.0), (1.0, 0.1, 1e-6))
UNLABELLED = NoisyOr(CALIBRATION, (0.3, 0.9))
NAN = float("nan")


def examples(count: int = 4000, frauds: int = 200) -> tuple[Findings, NDArray[np.float64]]:
    """Frauds have a high first feature; the second is noise, the third always absent; rule 0 says something.

    Rule 1 never fires.
    """
    chance = np.random.default_rng(7)
    labels = np.zeros(count)
    labels[np.linspace(0, count - 1, frauds).astype(int)] = 1
    rows = np.column_stack(
        [chance.normal(size=count) + 2 * labels, chance.normal(size=count), np.full(count, NAN)]
    )
    rows[chance.random(count) < 0.1, 1] = NAN
    hits = np.column_stack([chance.random(count) < 0.1 + 0.5 * labels, np.zeros(count)]).astype(bool)
    anomalies = (0.4 + 0.1 * labels + 0.05 * chance.normal(size=count)).clip(0, 1)
    return Findings(rows, anomalies, hits), labels


def fitted(labels: NDArray[np.float64] | None = None, **given: int) -> Fitted:
    findings, own = examples(**given)
    return fit_combiner(findings, own if labels is None else labels, unlabelled=UNLABELLED, seed=7)


def learned(fit: Fitted) -> LearnedCombiner:
    assert isinstance(fit.combiner, LearnedCombiner)
    return fit.combiner


@pytest.fixture(scope="module")
def combiner() -> LearnedCombiner:
    return learned(fitted())


def one(first: float, anomaly: float = 0.4, hits: tuple[bool, bool] = (False, False)) -> Findings:
    return Findings([(first, 0.0, NAN)], [anomaly], [hits])


@pytest.mark.parametrize("frauds", [0, FEWEST_OF_A_CLASS - 1, 4000])
def test_too_few_labels_of_a_class_leave_the_unlabelled_combination(frauds: int) -> None:
    fit = fitted(frauds=frauds)

    assert (fit.combiner, fit.mode, fit.validation) == (UNLABELLED, "unlabelled", {})
    assert fit.unseen.tolist() == UNLABELLED.risks(examples(frauds=frauds)[0])


@pytest.mark.parametrize(
    ("frauds", "mode", "kind"),
    [
        (FEWEST_OF_A_CLASS, "logistic-and-unlabelled", EitherCombiner),
        (ENOUGH_FRAUDS - 1, "logistic-and-unlabelled", EitherCombiner),
        (ENOUGH_FRAUDS, "logistic", LearnedCombiner),
    ],
)
def test_what_few_labels_taught_is_served_beside_the_unlabelled_combination(
    frauds: int, mode: Mode, kind: type[Combiner]
) -> None:
    fit = fitted(frauds=frauds)

    assert fit.mode == mode
    assert type(fit.combiner) is kind
    assert fit.learned is not None


def test_thresholds_of_few_labels_are_taken_from_risks_of_both() -> None:
    findings, labels = examples(frauds=100)
    labels[::2] = NAN
    fit = fit_combiner(findings, labels, unlabelled=UNLABELLED, seed=7)

    served = np.array(fit.combiner.risks(findings))
    assert fit.unseen[::2] == pytest.approx(served[::2], abs=1e-12)
    assert fit.unseen[1::2].tolist() != served[1::2].tolist()
    assert (fit.unseen >= UNLABELLED.risks(findings)).all()


def two_attacks(seed: int, count: int = 4000) -> tuple[Findings, NDArray[np.float64], NDArray[np.float64]]:
    """Small amounts at a fraudulent merchant, and large amounts anywhere, which are strange and hit a rule."""
    chance = np.random.default_rng(seed)
    at_merchant, large = chance.random((2, count)) < 0.01
    amounts = chance.normal(size=count) - 1.5 * at_merchant + 3 * large
    shares = chance.normal(size=count) + 6 * at_merchant
    hits = np.column_stack([chance.random(count) < 0.01 + 0.6 * large, np.zeros(count)])
    anomalies = (0.4 + 0.15 * large + 0.05 * chance.normal(size=count)).clip(0, 1)
    rows = np.column_stack([amounts, shares, np.full(count, NAN)])
    return Findings(rows, anomalies, hits), at_merchant.astype(float), large.astype(float)


def test_labels_of_one_attack_leave_the_others_as_well_found_as_without_labels() -> None:
    seen, at_merchant, large = two_attacks(seed=7)
    new, same, attacked = two_attacks(seed=8)
    fit = fit_combiner(seen, np.where(large == 1, NAN, at_merchant), unlabelled=UNLABELLED, seed=7)
    assert fit.learned is not None

    combiners = UNLABELLED, fit.combiner, fit.learned
    unlabelled, both, alone = [
        average_precision_score(attacked[same == 0], np.array(each.risks(new))[same == 0]) for each in combiners
    ]
    assert unlabelled > 0.5
    assert both > unlabelled - 0.05
    assert alone < unlabelled / 2


def test_of_a_risk_by_few_labels_all_parts_are_doubt_removed() -> None:
    combiner = fitted(frauds=100).combiner
    findings = one(3.0, anomaly=0.6, hits=(True, True))
    [parts], [risk] = combiner.contributions(findings), combiner.risks(findings)

    assert parts.forest + sum(parts.rules) + sum(parts.features) == pytest.approx(-np.log(1 - risk))
    assert min(parts.forest, *parts.rules, parts.features[0]) > 0


def test_what_labels_are_sure_of_can_be_explained() -> None:
    sure = LogisticRegression(50.0, *np.ones((5, 6)))
    combiner = EitherCombiner(LearnedCombiner(CALIBRATION, sure, np.zeros(2)), UNLABELLED)

    [parts] = combiner.contributions(one(3.0))

    assert combiner.risks(one(3.0)) == [1.0]
    assert parts.features[0] > 0


def test_what_lowered_the_risk_is_no_part_of_it() -> None:
    [parts] = fitted(frauds=100).combiner.contributions(one(-3.0))

    assert parts.features[0] == 0


def test_a_linear_world_keeps_the_champion_and_a_crooked_one_takes_the_challenger() -> None:
    findings, labels = examples(frauds=800)
    rows = np.asarray(findings.rows)
    crooked = replace(findings, rows=np.column_stack([np.cos(4 * rows[:, 0]), rows[:, 1], np.abs(rows[:, 0] - 2)]))

    challenger = fit_combiner(crooked, labels, unlabelled=UNLABELLED, seed=7)

    assert fitted().mode == "logistic"
    assert challenger.mode == "boosted"
    assert combiner_of("boosted", crooked, labels, unlabelled=UNLABELLED, seed=7).risks(
        crooked
    ) == challenger.combiner.risks(crooked)


def test_labels_that_say_nothing_are_not_seen_in_the_risks_that_thresholds_are_taken_from() -> None:
    findings, _ = examples()
    chance = (np.random.default_rng(8).random(4000) < 0.05).astype(float)
    trees = combiner_of("boosted", findings, chance, unlabelled=UNLABELLED, seed=7)
    fit = fitted(chance)

    known = np.array(trees.risks(findings))
    assert known[chance == 1].mean() > 2 * known[chance == 0].mean()
    assert fit.unseen[chance == 1].mean() == pytest.approx(fit.unseen[chance == 0].mean(), rel=0.2)


def test_risks_of_unlabelled_transactions_are_those_that_are_served() -> None:
    findings, labels = examples()
    labels[::2] = NAN
    fit = fit_combiner(findings, labels, unlabelled=UNLABELLED, seed=7)

    served = np.array(fit.combiner.risks(findings))
    assert fit.unseen[::2].tolist() == served[::2].tolist()
    assert fit.unseen[1::2].tolist() != served[1::2].tolist()


@pytest.mark.parametrize("mode", ["logistic", "boosted"])
def test_a_mode_can_be_had_without_a_contest(mode: Mode) -> None:
    findings, labels = examples()

    combiner = combiner_of(mode, findings, labels, unlabelled=UNLABELLED, seed=7)

    assert isinstance(combiner, LearnedCombiner)
    assert isinstance(combiner.model, LogisticRegression) == (mode == "logistic")
    assert combiner_of("unlabelled", findings, labels, unlabelled=UNLABELLED, seed=7) is UNLABELLED


def test_unknown_labels_are_left_out() -> None:
    findings, labels = examples()
    labels[::2] = NAN
    half = Findings(
        np.asarray(findings.rows)[1::2], np.asarray(findings.anomalies)[1::2], np.asarray(findings.hits)[1::2]
    )

    left_out = fit_combiner(findings, labels, unlabelled=UNLABELLED, seed=7)
    never_there = fit_combiner(half, labels[1::2], unlabelled=UNLABELLED, seed=7)

    assert left_out.combiner.risks(findings) == never_there.combiner.risks(findings)


def test_risks_are_about_the_share_of_fraud() -> None:
    findings, labels = examples()

    risks = np.array(fitted().combiner.risks(findings))

    assert risks.min() > 0
    assert risks.max() < 1
    assert risks.mean() == pytest.approx(labels.mean(), rel=0.2)


def test_a_rule_that_no_label_tells_of_keeps_its_declared_weight(combiner: LearnedCombiner) -> None:
    [without] = combiner.risks(one(0.0))
    [fired] = combiner.risks(one(0.0, hits=(False, True)))

    assert combiner.declared.tolist() == [0, 0.9]
    assert fired == pytest.approx(1 - (1 - without) * 0.1)


def test_what_labels_know_counts_by_its_coefficient(combiner: LearnedCombiner) -> None:
    [ordinary], [strange], [anomalous], [hit] = (
        combiner.risks(each) for each in (one(0), one(3), one(0, anomaly=0.6), one(0, hits=(True, False)))
    )

    assert ordinary < min(strange, anomalous, hit)


def test_contributions_and_the_baseline_add_up_to_the_log_odds(combiner: LearnedCombiner) -> None:
    findings = one(2.0, anomaly=0.5, hits=(True, False))
    [parts] = combiner.contributions(findings)
    [risk] = combiner.risks(findings)

    total = combiner.model.baseline + parts.forest + sum(parts.rules) + sum(parts.features)

    assert total == pytest.approx(np.log(risk / (1 - risk)))
    assert parts.features[0] > 0 < parts.rules[0]


def test_design_is_features_then_rarity_then_hits() -> None:
    [row] = design(one(2.0, anomaly=0.5, hits=(True, False)), CALIBRATION).tolist()

    assert row[:2] == [2.0, 0.0]
    assert np.isnan(row[2])
    assert row[3:] == [pytest.approx(np.log(10)), 1.0, 0.0]


def test_logistic_columns_that_do_not_fit_together_are_refused() -> None:
    two = np.ones(2)

    with pytest.raises(ValueError, match="do not fit together"):
        LogisticRegression(0.0, two, two, two, two, np.ones(3))
    with pytest.raises(ValueError, match="do not fit together"):
        LogisticRegression(0.0, two, np.zeros(2), two, two, two)
