"""A card transaction as the domain sees it: a frozen value with checked invariants."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from math import asin, cos, radians, sin, sqrt

from shared.domain.currencies import CURRENCIES, minor_units

EARTH_RADIUS_KM = 6371.0088


@dataclass(frozen=True, slots=True)
class Place:
    """A point on Earth in degrees (WGS 84)."""

    lat: float
    lon: float

    def __post_init__(self) -> None:
        if not (-90 <= self.lat <= 90 and -180 <= self.lon <= 180):
            raise ValueError(f"no such place: {self.lat}, {self.lon}")

    def distance_km(self, other: "Place") -> float:
        """Great-circle distance in kilometres (haversine formula)."""
        lat1, lon1, lat2, lon2 = map(radians, (self.lat, self.lon, other.lat, other.lon))
        half_chord = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
        return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(half_chord)))


@dataclass(frozen=True, slots=True)
class Transaction:
    """One card payment. `amount` is in major units of `currency`; `occurred_at` is aware and in UTC."""

    transaction_id: str
    account_id: str
    merchant_id: str
    amount: Decimal
    currency: str
    occurred_at: datetime
    merchant_category: str | None = None
    place: Place | None = None
    home: Place | None = None
    channel: str | None = None
    device_id: str | None = None
    ip_address: str | None = None
    amount_minor: int = field(init=False, repr=False, compare=False)
    """The amount in minor units of its currency (cents, yen, fils), rounded half to even; many features ask."""

    def __post_init__(self) -> None:
        if self.occurred_at.utcoffset() != timedelta(0):
            raise ValueError("occurred_at must be aware and in UTC")
        if self.amount <= 0:
            raise ValueError("amount must be positive")
        if self.currency not in CURRENCIES:
            raise ValueError(f"unknown currency {self.currency}")
        object.__setattr__(self, "amount_minor", minor_units(self.amount, self.currency))
