"""Block and trust lists: what they make of a decision, and when they end."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from local.lists import expiry
from shared.command_line import UserError
from shared.domain.decision import Decision, RiskLabel
from shared.domain.history import History
from shared.domain.lists import NO_LISTS, Listed, ListedKind, Lists, Verdict
from tests.builders import NOON, a_decision, a_transaction, an_alarm
from tests.unit.test_scoring import LARGE, a_scorer

TRANSACTION = a_transaction(device_id="dev-1")
ACCOUNT, MERCHANT, DEVICE = ListedKind


def an_entry(kind: ListedKind, verdict: Verdict, until: datetime | None = None) -> Listed:
    return Listed(kind, {ACCOUNT: "acct-1", MERCHANT: "mer-1", DEVICE: "dev-1"}[kind], verdict, "ada", until)


def settled(decision: Decision, *entries: Listed, always_alerts: bool = False) -> Decision:
    return Lists.of(entries).settled(TRANSACTION, decision, always_alerts=always_alerts)


@pytest.mark.parametrize("kind", ListedKind)
@pytest.mark.parametrize("decision", [a_decision(), an_alarm()])
def test_a_block_is_high_with_an_alert_whatever_the_risk(kind: ListedKind, decision: Decision) -> None:
    blocked = settled(decision, an_entry(kind, Verdict.BLOCK))

    assert (blocked.risk, blocked.label, blocked.raises_alert) == (1.0, RiskLabel.HIGH, True)
    assert blocked.reasons[0].code == f"blocked_{kind}"
    assert blocked.reasons[1:] == decision.reasons
    assert blocked.anomaly == decision.anomaly


@pytest.mark.parametrize("kind", ListedKind)
@pytest.mark.parametrize("decision", [a_decision(), an_alarm()])
def test_trust_is_low_without_an_alert(kind: ListedKind, decision: Decision) -> None:
    trusted = settled(decision, an_entry(kind, Verdict.TRUST))

    assert (trusted.risk, trusted.label, trusted.raises_alert) == (0.0, RiskLabel.LOW, False)
    assert trusted.reasons[0].code == f"trusted_{kind}"


def test_trust_does_not_count_where_a_rule_always_alerts() -> None:
    assert settled(an_alarm(), an_entry(ACCOUNT, Verdict.TRUST), always_alerts=True) == an_alarm()


def test_a_block_goes_before_trust() -> None:
    both = settled(a_decision(), an_entry(ACCOUNT, Verdict.TRUST), an_entry(DEVICE, Verdict.BLOCK))

    assert both.label is RiskLabel.HIGH
    assert [reason.code for reason in both.reasons] == ["blocked_device"]


def test_who_is_not_listed_is_decided_by_the_model() -> None:
    other = Listed(ACCOUNT, "mer-1", Verdict.BLOCK, "ada")

    assert settled(a_decision(), other) == a_decision()
    assert NO_LISTS.settled(a_transaction(), an_alarm(), always_alerts=False) == an_alarm()


def test_an_entry_names_something_or_every_transaction_without_a_device_would_be_meant() -> None:
    with pytest.raises(ValueError, match="name something"):
        Listed(DEVICE, "", Verdict.BLOCK, "ada")


@pytest.mark.parametrize("verdict", Verdict)
def test_an_entry_counts_until_just_before_it_expires(verdict: Verdict) -> None:
    lists = Lists.of([an_entry(MERCHANT, verdict, NOON)])
    just_before = NOON - timedelta(microseconds=1)

    assert lists.at(just_before).entries == lists.entries
    assert lists.at(NOON) == NO_LISTS


def test_an_entry_without_an_end_never_expires() -> None:
    lists = Lists.of([an_entry(MERCHANT, Verdict.BLOCK)])

    assert lists.at(NOON + timedelta(days=36_500)) == lists


def test_an_end_is_a_moment_in_utc() -> None:
    with pytest.raises(ValueError, match="UTC"):
        an_entry(MERCHANT, Verdict.BLOCK, NOON.replace(tzinfo=None))


def test_the_reason_says_who_decided_and_until_when() -> None:
    reason = an_entry(MERCHANT, Verdict.BLOCK, NOON).reason

    assert reason.text == "The merchant is on the list of blocked merchants"
    assert (reason.observed, reason.usual) == ("mer-1", "blocked by ada until 2026-01-15 12:00 UTC")


def test_the_scorer_heeds_its_lists() -> None:
    scorer = replace(a_scorer(0.1), lists=Lists.of([an_entry(MERCHANT, Verdict.BLOCK)]))
    trusting = replace(a_scorer(0.99), lists=Lists.of([an_entry(MERCHANT, Verdict.TRUST)]))

    (blocked,) = scorer.decide([TRANSACTION], [History()])
    trusted, always = trusting.decide([TRANSACTION, LARGE], [History()] * 2)

    assert (blocked.label, trusted.label) == (RiskLabel.HIGH, RiskLabel.LOW)
    assert [reason.code for reason in blocked.reasons] == [
        "blocked_merchant",
        "isolation_forest_high_score",
        "compared_amount",
        "compared_amount_24h",
    ]
    assert LARGE.amount == Decimal(5000)
    assert always.raises_alert


@pytest.mark.parametrize(
    ("said", "ahead"),
    [
        ("45m", timedelta(minutes=45)),
        ("12h", timedelta(hours=12)),
        ("30d", timedelta(days=30)),
        ("2026-01-15T15:00:00+02:00", timedelta(hours=1)),
        ("2026-01-15T13:00Z", timedelta(hours=1)),
    ],
)
def test_until_is_a_moment_or_a_span(said: str, ahead: timedelta) -> None:
    assert expiry(said, NOON) == NOON + ahead


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("tomorrow", "is no moment"),
        ("2026-02-30T00:00Z", "is no moment"),
        ("2026-02-01", "lacks its zone"),
        ("2026-01-15T12:00Z", "is past"),
        ("0m", "is past"),
        ("99999999999d", "is no moment"),
        ("9999-12-31T23:00-05:00", "is no moment"),
    ],
)
def test_what_is_neither_is_told(said: str, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        expiry(said, NOON)
