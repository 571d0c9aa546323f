"""A simulated payment as a client posts it."""

from datetime import datetime
from typing import Any

from ml.simulation.customers import Payment
from ml.simulation.world import in_currency
from shared.messages.transaction_in import rfc3339


def posted(payment: Payment, transaction_id: str, at: datetime) -> dict[str, Any]:
    """The transaction that was made at `at`. One without a place was made online."""
    who, place = payment.who, payment.place
    where = {"geo_lat": place.lat, "geo_lon": place.lon, "channel": "card"} if place else {"channel": "online"}
    return {
        "transaction_id": transaction_id,
        "account_id": who.account_id,
        "merchant_id": payment.merchant.merchant_id,
        "merchant_category": payment.merchant.category,
        "amount": in_currency(payment.dollars, payment.currency),
        "currency": payment.currency,
        "timestamp": rfc3339(at),
        "home_lat": who.home.lat,
        "home_lon": who.home.lon,
        "device_id": payment.device_id,
        **where,
    }
