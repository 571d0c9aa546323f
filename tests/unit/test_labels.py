"""Which verdict of a source stands, and which source's label counts."""

from datetime import timedelta

import pytest

from shared.domain.alert import Disposition
from shared.domain.labels import PRESUMED_AFTER, Effect, Label, Outcome, counting, outcome, settled
from tests.builders import NOON

FRAUD, LEGITIMATE, INCONCLUSIVE = Disposition


def a_label(verdict: Disposition, source: str = "chargeback", day: int = 0, **changes: str) -> Label:
    """A label of transaction `txn-1`, known so many days after NOON."""
    return Label(
        **(
            {"transaction_id": "txn-1", "source": source, "verdict": verdict, "known_at": NOON + timedelta(day)}
            | changes
        )
    )


@pytest.mark.parametrize(
    ("posted", "effects", "standing"),
    [
        ([(FRAUD, 1)], ["new"], (FRAUD, 1)),
        ([(FRAUD, 1), (FRAUD, 1)], ["new", "same"], (FRAUD, 1)),
        ([(FRAUD, 1), (FRAUD, 2)], ["new", "same"], (FRAUD, 1)),
        ([(FRAUD, 1), (LEGITIMATE, 2)], ["new", "changed"], (LEGITIMATE, 2)),
        ([(LEGITIMATE, 2), (FRAUD, 1)], ["new", "older"], (LEGITIMATE, 2)),
        ([(FRAUD, 1), (LEGITIMATE, 1)], ["new", "older"], (FRAUD, 1)),
        ([(FRAUD, 1), (LEGITIMATE, 2), (FRAUD, 3)], ["new", "changed", "changed"], (FRAUD, 3)),
    ],
)
def test_the_verdict_known_last_stands(posted, effects, standing) -> None:
    labels = [a_label(verdict, day=day) for verdict, day in posted]

    told, [written] = settled(labels, {})

    assert told == effects
    assert (written.verdict, written.known_at) == (standing[0], NOON + timedelta(standing[1]))


def test_the_same_labels_again_write_nothing() -> None:
    labels = [a_label(FRAUD), a_label(LEGITIMATE, "analyst"), a_label(FRAUD, transaction_id="txn-0")]
    _, written = settled(labels, {})

    assert settled(labels, {label.key: label for label in written}) == ([Effect.SAME] * 3, [])


def test_what_is_written_is_sorted_by_transaction_and_source() -> None:
    labels = [a_label(FRAUD, transaction_id="b"), a_label(FRAUD, transaction_id="a"), a_label(FRAUD, "analyst")]

    assert [label.key for label in settled(labels, {})[1]] == [
        ("a", "chargeback"), ("b", "chargeback"), ("txn-1", "analyst"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([("analyst", FRAUD, 1)], "analyst"),
        ([("analyst", LEGITIMATE, 9), ("chargeback", FRAUD, 1)], "chargeback"),
        ([("model-x", FRAUD, 9), ("analyst", LEGITIMATE, 1)], "analyst"),
        ([("model-x", FRAUD, 9), ("partner", LEGITIMATE, 1)], "model-x"),
        ([("partner", FRAUD, 1), ("model-x", LEGITIMATE, 1)], "model-x"),
        ([("chargeback", INCONCLUSIVE, 1), ("partner", FRAUD, 1)], "partner"),
        ([("chargeback", INCONCLUSIVE, 1), ("analyst", INCONCLUSIVE, 9)], "chargeback"),
    ],
)
def test_chargebacks_count_before_analysts_before_others_and_the_latest_of_those(labels, expected) -> None:
    made = [a_label(verdict, source, day) for source, verdict, day in labels]

    assert counting(made).source == expected
    assert counting(made[::-1]).source == expected


def test_without_labels_none_counts() -> None:
    assert counting([]) is None


def test_what_a_transaction_is_taken_for() -> None:
    assert outcome(a_label(FRAUD, day=3), NOON) == Outcome(True, NOON + timedelta(3))
    assert outcome(a_label(LEGITIMATE), NOON) == Outcome(False, NOON)
    assert outcome(a_label(INCONCLUSIVE), NOON) is None
    assert outcome(None, NOON) == Outcome(False, NOON + PRESUMED_AFTER, presumed=True)
