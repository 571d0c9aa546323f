"""Builders of alerts: a test mentions only what matters to it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from shared.domain.alert import Alert, alert_id_for
from shared.domain.decision import Reason, RiskLabel
from shared.messages.alert_out import alert_out
from tests.builders import NOON

A_REASON = Reason("count_1h_high", "Many payments in an hour", "14", "1")


def an_alert(seq: int, **changes: Any) -> Alert:
    """An open alert; transaction and alert id follow from `seq`."""
    transaction_id = changes.pop("transaction_id", f"txn-{seq}")
    fields: dict[str, Any] = {
        "alert_id": alert_id_for(transaction_id),
        "seq": seq,
        "transaction_id": transaction_id,
        "account_id": "acct-1",
        "merchant_id": "mer-1",
        "amount": Decimal("950.00"),
        "currency": "USD",
        "risk": 0.97,
        "risk_label": RiskLabel.HIGH,
        "reasons": (A_REASON,),
        "threshold": 0.9,
        "model_version": "test",
        "occurred_at": NOON,
        "created_at": datetime.now(UTC),
    }
    return Alert(**(fields | changes))


def announcement(alert: Alert) -> bytes:
    """The alert as the live feed carries it."""
    return alert_out(alert).model_dump_json().encode()
