"""The life cycle of an alert as a table, and the ids of alerts."""

from itertools import product
from uuid import UUID

import pytest

from shared.domain.alert import TRANSITIONS, Action, AlertStatus, Disposition, alert_id_for, next_status
from shared.domain.alert_record import StepTaken
from shared.domain.errors import LifeCycleViolation
from tests.builders import NOON

ALLOWED = {
    ("open", "acknowledge"): "acknowledged",
    ("open", "close"): "closed",
    ("acknowledged", "close"): "closed",
    ("acknowledged", "reopen"): "open",
    ("closed", "reopen"): "open",
}


@pytest.mark.parametrize(("status", "action"), [*product(AlertStatus, Action)])
def test_each_action_leads_where_the_table_says_or_is_refused(status: AlertStatus, action: Action) -> None:
    if (status, action) in ALLOWED:
        assert next_status(status, action) == ALLOWED[status, action]
    else:
        with pytest.raises(LifeCycleViolation):
            next_status(status, action)


def test_a_refusal_names_what_is_allowed_instead() -> None:
    with pytest.raises(LifeCycleViolation, match=r"is closed cannot be given 'acknowledge'; it allows: reopen\."):
        next_status(AlertStatus.CLOSED, Action.ACKNOWLEDGE)


def test_every_status_can_be_left() -> None:
    assert {status for status, _ in TRANSITIONS} == set(AlertStatus)


@pytest.mark.parametrize(("action", "disposition"), [
    (Action.CLOSE, None), (Action.ACKNOWLEDGE, Disposition.FRAUD), (Action.REOPEN, Disposition.FRAUD),
])  # fmt: skip
def test_closing_and_only_that_says_what_the_alert_turned_out_to_be(
    action: Action, disposition: Disposition | None
) -> None:
    with pytest.raises(ValueError, match="disposition"):
        StepTaken(action, "Ada", None, disposition, NOON)


def test_an_alert_id_follows_from_the_transaction_id_alone() -> None:
    assert alert_id_for("txn-1") == UUID("2b0c06af-52ff-5d80-8f76-2a1b4ce8251d")
    assert alert_id_for("txn-1") != alert_id_for("txn-2")
