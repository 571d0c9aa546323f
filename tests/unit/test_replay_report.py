"""The arithmetic of a replay's summary."""

from collections import Counter

import pytest

from local.replay_posting import Accepted, Posted
from local.replay_report import precision_and_recall, summarize
from shared.database.outcomes import Outcome

SCORED_LOW, SCORED_HIGH = Outcome("scored", "LOW"), Outcome("scored", "HIGH", alerted=True)


def test_every_row_is_counted_once() -> None:
    posted = Posted(
        accepted=[Accepted(id_, None) for id_ in ("a", "b", "c", "d")], refused=Counter({429: 2, 422: 1})
    )
    outcomes = {"a": SCORED_LOW, "b": SCORED_HIGH, "c": Outcome("rejected")}

    summary = summarize(posted, outcomes, seconds=2.0)

    assert (summary.sent, summary.accepted, summary.refused) == (7, 4, 3)
    assert summary.refused_by_status == {"422": 1, "429": 2}
    assert (summary.scored, summary.rejected, summary.alerts) == (2, 1, 1)
    assert summary.tx_per_second == 2.0
    assert not summary.complete


def test_a_replay_is_complete_once_all_accepted_rows_ended() -> None:
    posted = Posted(accepted=[Accepted("a", None), Accepted("b", None)], refused=Counter({429: 5}))

    assert summarize(posted, {"a": SCORED_LOW, "b": Outcome("rejected")}, 1.0).complete


def test_a_row_that_stands_twice_in_the_file_ends_twice() -> None:
    posted = Posted(accepted=[Accepted("a", None), Accepted("a", None)])

    summary = summarize(posted, {"a": SCORED_HIGH}, 1.0)

    assert (summary.scored, summary.alerts, summary.complete) == (2, 2, True)


def test_precision_and_recall_are_those_of_high_over_labelled_scored_rows() -> None:
    labels = {"hit": True, "miss": True, "false": False, "right": False, "unlabelled": None, "rejected": True}
    posted = Posted(accepted=[Accepted(id_, label) for id_, label in labels.items()])
    outcomes = {
        "hit": SCORED_HIGH,
        "miss": Outcome("scored", "MEDIUM"),
        "false": SCORED_HIGH,
        "right": SCORED_LOW,
        "unlabelled": SCORED_HIGH,
        "rejected": Outcome("rejected"),
    }

    summary = summarize(posted, outcomes, 1.0)

    assert (summary.precision, summary.recall) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], (None, None)),
        ([(False, False)], (None, None)),
        ([(True, False)], (0.0, None)),
        ([(False, True)], (None, 0.0)),
        ([(True, True), (True, False), (True, False), (False, True)], (0.3333, 0.5)),
    ],
)
def test_a_share_of_nothing_is_none(
    pairs: list[tuple[bool, bool]], expected: tuple[float | None, float | None]
) -> None:
    assert precision_and_recall(pairs) == expected


def test_an_empty_replay_is_complete() -> None:
    summary = summarize(Posted(), {}, 0.0)

    assert summary.complete
    assert summary.tx_per_second == 0.0
