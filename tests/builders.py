"""Builders: a test mentions only what matters to it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

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
