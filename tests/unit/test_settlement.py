"""The extension's settlement rules, as a table."""

import pytest

from local.rabbitmq_trigger import Acknowledge, DeadLetter, Republish, Settlement, settlement


@pytest.mark.parametrize(
    ("succeeded", "requeue_count", "expected"),
    [
        (True, 0, Acknowledge()),
        (True, 4, Acknowledge()),
        (False, 0, Republish(1)),
        (False, 1, Republish(2)),
        (False, 3, Republish(4)),
        (False, 4, DeadLetter()),
        (False, 9, DeadLetter()),
    ],
)
def test_a_failure_is_republished_four_times_and_dead_after_the_fifth_run(
    succeeded: bool, requeue_count: int, expected: Settlement
) -> None:
    assert settlement(succeeded=succeeded, requeue_count=requeue_count) == expected
