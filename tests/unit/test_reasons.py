"""Everything that somebody will look at comes with at least three reasons, whatever is known of it."""

from dataclasses import replace
from math import isnan

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.account_history import AccountHistories
from shared.domain.decision import RiskLabel
from shared.domain.features import FEATURES
from shared.domain.history import History
from shared.domain.lists import Listed, ListedKind, Lists, Verdict
from shared.domain.scoring import Scorer
from shared.domain.signals import FraudShare, PriceLevel, Signals
from shared.domain.transaction import Place, Transaction
from tests.histories import deliveries
from tests.unit.test_scoring import LARGE, RULES, FromFeatures, a_scorer

LEVELS = st.dictionaries(
    st.sampled_from(["m1", "m2", "food"]), st.just(PriceLevel(40, 3.0, 0.5)) | st.just(PriceLevel(1, 0.0, 0.0))
)
SHARES = st.dictionaries(st.sampled_from(["m1", "food"]), st.just(FraudShare(0.4, 0.3)))
SIGNALS = st.builds(
    Signals,
    category_prices=LEVELS,
    merchant_prices=LEVELS,
    merchant_risk=SHARES,
    category_risk=SHARES,
    usual=st.none() | st.just(FraudShare(0.01, 0.01)),
)
PARTS = st.dictionaries(st.sampled_from([*FEATURES]), st.floats(-3, 3))
BLOCKED = Lists.of([Listed(ListedKind.ACCOUNT, "acct-1", Verdict.BLOCK, "ada")])
TRUSTED = Lists.of([Listed(ListedKind.ACCOUNT, "acct-1", Verdict.TRUST, "ada")])


@st.composite
def scorers(draw: st.DrawFn) -> Scorer:
    """With and without labels; what any part says is arbitrary."""
    anomaly, medium = draw(st.floats(0.01, 0.99)), draw(st.sampled_from([0.01, 0.5, 0.9]))
    scorer = a_scorer(anomaly, medium=medium, high=0.95, **draw(PARTS))
    scorer = replace(scorer, signals=draw(SIGNALS), lists=draw(st.sampled_from([Lists(), BLOCKED, TRUSTED])))
    if draw(st.booleans()):
        return scorer
    return replace(scorer, combiner=FromFeatures(draw(PARTS), draw(st.floats(-1, 1))))


@st.composite
def pasts(draw: st.DrawFn) -> tuple[Transaction, History]:
    """The last of some deliveries, with what came before it."""
    sent, store = draw(deliveries()), AccountHistories()
    for each in sent[:-1]:
        store.observe(each)
    last = replace(sent[-1], home=draw(st.none() | st.just(Place(40.7, -74.0))))
    if draw(st.booleans()):
        last = replace(last, amount=LARGE.amount)
    return last, store.observe(last)


@given(scorers(), pasts())
def test_what_somebody_will_look_at_has_three_reasons_with_values_of_their_own(
    scorer: Scorer, past: tuple[Transaction, History]
) -> None:
    (decision,) = scorer.decide([past[0]], [past[1]])

    told = [reason for reason in decision.reasons if reason.code not in ("blocked_account", "trusted_account")]
    codes = [reason.code for reason in told]
    assert len(codes) == len(set(codes))
    if decision.raises_alert or decision.label is not RiskLabel.LOW:
        assert len({(reason.observed, reason.usual) for reason in told}) >= 3
    rules = {rule.code for rule in RULES.rules}
    values = [(reason.observed, reason.usual) for reason in told if reason.code not in rules]
    assert len(values) == len(set(values))
    assert {(reason.observed, reason.usual) for reason in told if reason.code in rules}.isdisjoint(values)


@given(scorers(), pasts())
def test_no_reason_tells_of_an_absent_feature_and_every_rule_that_fired_is_told(
    scorer: Scorer, past: tuple[Transaction, History]
) -> None:
    (decision,) = scorer.decide([past[0]], [past[1]])

    codes = {reason.code for reason in decision.reasons}
    values = {name: feature(*past, scorer.signals) for name, feature in FEATURES.items()}
    assert {
        name for name in values if {f"unusual_{name}", f"compared_{name}"} & codes and isnan(values[name])
    } == set()
    (hits,) = scorer.rules.hits([past[0]], [past[1]], [tuple(values.values())])
    assert {rule.code for rule, fired in zip(RULES.active, hits, strict=True) if fired} <= codes
