"""Which model decides for whom, and with which lists and signals."""

from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from functions.score.deployments import BatchScorer, DeployedModels
from ml.forest import load_scorer
from shared.domain.decision import Decision, RiskLabel
from shared.domain.deployment import BUCKETS, Canary, bucket
from shared.domain.history import History
from shared.domain.lists import Listed, ListedKind, Lists, Verdict
from shared.domain.scoring import Row, Scorer
from shared.domain.scoring_snapshot import ScoringSnapshot, Trial, completed
from shared.domain.signals import FraudShare, PriceLevel, Signals
from shared.model_registry import FolderRegistry
from shared.settings import SHIPPED_MODEL
from tests.builders import NOON, a_transaction

ACCOUNTS = [f"acct-{n}" for n in range(2_000)]
TRANSACTIONS = [a_transaction(transaction_id=f"t-{each}", account_id=each) for each in ACCOUNTS[:50]]
HISTORIES = [History()] * len(TRANSACTIONS)


@pytest.fixture(scope="module")
def champion() -> Scorer:
    return load_scorer(SHIPPED_MODEL)


@pytest.fixture
def challenger(champion: Scorer) -> Scorer:
    return replace(champion, model_version="challenger")


def versions(snapshot: ScoringSnapshot) -> list[str]:
    return [decision.model_version for decision in snapshot.decide(TRANSACTIONS, HISTORIES)]


def inside(share: int, salt: str = "pepper") -> set[str]:
    return {each for each in ACCOUNTS if Canary("m", share, salt).takes(each)}


def test_a_bucket_is_the_documented_digest() -> None:
    # printf 'pepperacct-1' | sha256sum, modulo 10,000
    assert bucket("pepper", "acct-1") == 9737


def test_raising_the_share_keeps_who_was_in() -> None:
    sizes = [0, 50, 500, 2_500, BUCKETS]
    taken = [inside(size) for size in sizes]

    assert all(smaller <= larger for smaller, larger in pairwise(taken))
    assert (len(taken[0]), len(taken[-1])) == (0, len(ACCOUNTS))


def test_a_share_is_about_that_share_of_the_accounts_and_another_salt_draws_others() -> None:
    assert 0.22 < len(inside(2_500)) / len(ACCOUNTS) < 0.28
    assert inside(2_500) != inside(2_500, "salt")


def test_the_canary_decides_for_its_accounts_in_the_order_of_the_batch(
    champion: Scorer, challenger: Scorer
) -> None:
    canary = Canary("challenger", 3_000, "pepper")
    decided = versions(ScoringSnapshot(champion, Trial(canary, challenger)))

    expected = [canary.takes(each.account_id) for each in TRANSACTIONS]
    assert [version == "challenger" for version in decided] == expected
    assert 0 < sum(expected) < len(expected)


@pytest.mark.parametrize(("share", "version"), [(0, None), (BUCKETS, "challenger")])
def test_nobody_and_everybody(champion: Scorer, challenger: Scorer, share: int, version: str | None) -> None:
    snapshot = ScoringSnapshot(champion, Trial(Canary("challenger", share, ""), challenger))

    assert set(versions(snapshot)) == {version or champion.model_version}


def test_every_model_follows_the_lists_until_they_expire(champion: Scorer, challenger: Scorer) -> None:
    end = NOON + timedelta(hours=1)
    lists = Lists.of([Listed(ListedKind.MERCHANT, "mer-1", Verdict.BLOCK, "ada", end)])
    trial = Trial(Canary("challenger", BUCKETS, ""), challenger)
    snapshot = ScoringSnapshot(champion, trial, (champion,)).equipped(lists, None)

    def labels(moment: ScoringSnapshot) -> list[RiskLabel]:
        return [each.decide(TRANSACTIONS[:1], HISTORIES[:1])[0].label for each in moment.scorers]

    assert labels(snapshot.at(NOON)) == [RiskLabel.HIGH] * 3
    assert RiskLabel.HIGH not in labels(snapshot.at(end))


def test_newest_signals_are_completed_by_those_of_the_training_window() -> None:
    old, new = PriceLevel(20, 1.0, 0.1), PriceLevel(30, 2.0, 0.2)
    known = FraudShare(0.1, 0.1)
    trained = Signals("trained", {"a": old, "b": old}, {"m": old}, {"m": known}, {"a": known}, known)

    unlabelled = completed(Signals("2026-01-15", {"a": new}, {}), trained)
    labelled = completed(Signals("2026-01-15", usual=FraudShare(0.2, 0.2)), trained)

    assert (unlabelled.version, unlabelled.category_prices) == ("2026-01-15", {"a": new, "b": old})
    assert (unlabelled.usual, unlabelled.merchant_risk) == (known, {"m": known})
    assert (labelled.merchant_risk, labelled.merchant_prices) == ({}, {"m": old})


@dataclass(frozen=True)
class BrokenForest:
    """A forest with a fault."""

    def anomaly(self, rows: list[Row]) -> list[float]:
        raise ArithmeticError(len(rows))


def test_a_shadow_that_fails_leaves_the_decisions_and_the_other_shadows(
    champion: Scorer, challenger: Scorer
) -> None:
    broken = replace(champion, forest=BrokenForest(), model_version="broken")
    scorer = BatchScorer(ScoringSnapshot(champion, shadows=(broken, challenger)))

    decided = scorer.decide(TRANSACTIONS, HISTORIES)
    shadows = scorer.shadows(TRANSACTIONS, HISTORIES)

    assert [each.model_version for each in decided] == [champion.model_version] * len(TRANSACTIONS)
    assert [[each.model_version for each in row] for row in shadows] == [["challenger"]] * len(TRANSACTIONS)


def test_without_shadows_there_is_nothing_for_each_transaction(champion: Scorer) -> None:
    nothing: list[tuple[Decision, ...]] = [()] * len(TRANSACTIONS)

    assert BatchScorer(ScoringSnapshot(champion)).shadows(TRANSACTIONS, HISTORIES) == nothing


def test_while_the_database_is_away_the_model_it_was_started_with_serves(tmp_path: Path, champion: Scorer) -> None:
    models = DeployedModels("postgresql://127.0.0.1:1/none", FolderRegistry(tmp_path), champion, SHIPPED_MODEL)

    assert set(versions(models.scorer(NOON).snapshot)) == {champion.model_version}
