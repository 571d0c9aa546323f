"""The committed model: small, self-contained, and of sound judgement on cases that anybody would agree on."""

import subprocess
import sys
from decimal import Decimal

import pytest

from ml.forest import load_scorer
from ml.manifest import FOREST, MANIFEST, RULES, SIGNALS, read_manifest
from ml.reference import REFERENCE
from shared.domain.account_history import AccountHistories
from shared.domain.decision import Decision, RiskLabel
from shared.domain.history import History
from shared.domain.scoring import Scorer
from shared.domain.transaction import Place, Transaction
from shared.settings import SHIPPED_MODEL
from tests.builders import a_transaction
from tests.habits import REGULAR

NEW_YORK, LAGOS = Place(40.7128, -74.006), Place(6.5244, 3.3792)


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return load_scorer(SHIPPED_MODEL)


def decide(scorer: Scorer, transaction: Transaction, history: History) -> Decision:
    (decision,) = scorer.decide([transaction], [history])
    return decision


@pytest.mark.parametrize("place", [LAGOS, None])
@pytest.mark.parametrize("home", [NEW_YORK, None])
def test_a_very_large_first_amount_is_high_on_any_fresh_start(
    scorer: Scorer, place: Place | None, home: Place | None
) -> None:
    decision = decide(scorer, a_transaction(amount=Decimal("9999.99"), place=place, home=home), History())

    assert decision.label is RiskLabel.HIGH
    assert decision.raises_alert
    assert decision.reasons[0].code == "large_first_amount"


@pytest.mark.parametrize(("amount", "currency"), [("1500000", "JPY"), ("3000.000", "KWD"), ("160000000", "IDR")])
def test_so_it_is_in_other_currencies(scorer: Scorer, amount: str, currency: str) -> None:
    decision = decide(scorer, a_transaction(amount=Decimal(amount), currency=currency), History())

    assert decision.label is RiskLabel.HIGH


@pytest.mark.parametrize("history", [History(), REGULAR], ids=["new account", "regular account"])
@pytest.mark.parametrize(
    ("amount", "currency"),
    [("12.00", "USD"), ("9.90", "EUR"), ("1500", "JPY"), ("3.000", "KWD"), ("160000", "IDR")],
)
def test_an_ordinary_transaction_is_low(scorer: Scorer, history: History, amount: str, currency: str) -> None:
    known = history if currency == "USD" else History()

    decision = decide(scorer, a_transaction(amount=Decimal(amount), currency=currency), known)

    assert decision.label is RiskLabel.LOW
    assert not decision.raises_alert


def test_the_model_was_trained_for_the_target_alert_rates() -> None:
    manifest = read_manifest(SHIPPED_MODEL)

    assert (manifest.high.target_rate, manifest.medium.target_rate) == (0.005, 0.02)
    assert manifest.parameters.trees >= 100
    assert manifest.metrics is not None
    assert manifest.metrics.average_precision > 0.5


def test_the_folder_is_small_and_names_no_path() -> None:
    sizes = {path.name: path.stat().st_size for path in SHIPPED_MODEL.iterdir()}

    assert set(sizes) - {"model.joblib"} == {MANIFEST, FOREST, RULES, SIGNALS, REFERENCE}
    assert sum(sizes.values()) - sizes.get("model.joblib", 0) < 2 * 1024**2
    assert "/" not in (SHIPPED_MODEL / MANIFEST).read_text()


def test_it_names_no_merchant_of_its_training_data(scorer: Scorer) -> None:
    assert not scorer.signals.merchant_prices
    assert not scorer.signals.merchant_risk
    assert scorer.signals.category_prices


def test_loading_it_imports_nothing_heavy() -> None:
    code = (
        "import sys; from ml.forest import load_scorer; from shared.settings import SHIPPED_MODEL;"
        "load_scorer(SHIPPED_MODEL); print(*{'sklearn', 'scipy', 'joblib', 'rich'} & set(sys.modules))"
    )

    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert loaded.stdout.strip() == ""


def test_a_takeover_stands_out_from_the_accounts_own_past(scorer: Scorer) -> None:
    histories = AccountHistories()
    for day in range(1, 13):
        habit = a_transaction(
            transaction_id=f"txn-{day}", occurred_at=a_transaction().occurred_at.replace(day=day), place=NEW_YORK
        )
        histories.observe(habit)
    takeover = a_transaction(amount=Decimal(900), merchant_id="mer-2", place=LAGOS, home=NEW_YORK)

    decision = decide(scorer, takeover, histories.observe(takeover))

    assert decision.label is RiskLabel.HIGH
    assert {reason.code for reason in decision.reasons} >= {"amount_far_above_usual", "far_from_home"}
