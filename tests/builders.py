"""Builders: a test mentions only what matters to it."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

from shared.domain.decision import Decision, Reason, RiskLabel, ScoredTransaction
from shared.domain.transaction import Transaction

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def a_posted_transaction(**changes: Any) -> dict[str, Any]:
    """A valid transaction as a client posts it; a field set to None is left out."""
    posted: dict[str, Any] = {
        "transaction_id": "txn-1",
        "account_id": "acct-1",
        "merchant_id": "mer-1",
        "amount": "25.00",
        "currency": "USD",
        "timestamp": "2026-01-15T12:00:00Z",
    }
    return {name: value for name, value in (posted | changes).items() if value is not None}


def a_transaction(**changes: Any) -> Transaction:
    """A valid transaction as the domain sees it."""
    fields: dict[str, Any] = {
        "transaction_id": "txn-1",
        "account_id": "acct-1",
        "merchant_id": "mer-1",
        "amount": Decimal("25.00"),
        "currency": "USD",
        "occurred_at": NOON,
    }
    return Transaction(**(fields | changes))


def a_decision(**changes: Any) -> Decision:
    """A decision that nothing is wrong."""
    quiet = Decision(
        anomaly=0.4,
        risk=0.1,
        label=RiskLabel.LOW,
        reasons=(),
        raises_alert=False,
        threshold=0.9,
        model_version="model-1",
    )
    return replace(quiet, **changes)


def an_alarm(**changes: Any) -> Decision:
    """A decision that raises an alert."""
    reason = Reason("amount_far_above_usual", "The amount is far above the account's usual", "900.00", "25.00")
    loud = a_decision(anomaly=0.8, risk=0.95, label=RiskLabel.HIGH, reasons=(reason,), raises_alert=True)
    return replace(loud, **changes)


def a_scored_transaction(
    transaction_id: str = "txn-1",
    *,
    decision: Decision | None = None,
    payload: bytes | None = None,
    **changes: Any,
) -> ScoredTransaction:
    """A transaction with its decision, as the scorer hands it to the books."""
    transaction = a_transaction(transaction_id=transaction_id, **changes)
    posted = {
        "transaction_id": transaction_id,
        "amount": str(transaction.amount),
        "account_id": transaction.account_id,
    }
    content = payload or json.dumps(posted).encode()
    return ScoredTransaction(
        transaction=transaction,
        decision=decision or a_decision(),
        payload=content,
        content_hash=sha256(content).digest(),
        received_at=NOON,
    )
