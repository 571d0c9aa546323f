"""Plausible card holders for the sample traffic: a home, a currency, a usual amount and usual merchants."""

from dataclasses import dataclass
from random import Random

from shared.domain.currencies import CURRENCIES
from shared.domain.price_levels import UNITS_PER_DOLLAR
from shared.domain.transaction import Place

CITIES: tuple[tuple[str, Place], ...] = (
    ("USD", Place(40.7128, -74.0060)),
    ("USD", Place(41.8781, -87.6298)),
    ("GBP", Place(51.5072, -0.1276)),
    ("EUR", Place(52.5200, 13.4050)),
    ("EUR", Place(41.3874, 2.1686)),
    ("JPY", Place(35.6764, 139.6500)),
    ("AUD", Place(-33.8688, 151.2093)),
    ("BRL", Place(-23.5558, -46.6396)),
    ("INR", Place(19.0760, 72.8777)),
    ("KWD", Place(29.3759, 47.9774)),
    ("IDR", Place(-6.1944, 106.8229)),
)
CATEGORIES = ("grocery", "fuel", "restaurant", "pharmacy", "clothing", "travel", "online")
MERCHANTS_PER_CITY = 200


@dataclass(frozen=True, slots=True)
class Customer:
    """`usual` is the median amount in roughly dollars; `merchants` are those of habit."""

    account_id: str
    currency: str
    home: Place
    usual: float
    merchants: tuple[str, ...]


def customer(account_id: str, character: Random) -> Customer:
    """A customer whose habits follow from `character` alone."""
    city = character.randrange(len(CITIES))
    currency, centre = CITIES[city]
    habitual = tuple(f"mer-{city}-{character.randrange(MERCHANTS_PER_CITY)}" for _ in range(12))
    return Customer(account_id, currency, near(centre, character, 0.15), character.uniform(12, 45), habitual)


def near(place: Place, chance: Random, degrees: float) -> Place:
    """A place at most so many degrees of latitude and longitude away."""
    lat, lon = (chance.uniform(-degrees, degrees) for _ in range(2))
    return Place(round(place.lat + lat, 5), round(place.lon + lon, 5))


def far_from(place: Place, chance: Random) -> Place:
    """A city at least 3,000 km away."""
    return chance.choice([city for _, city in CITIES if city.distance_km(place) >= 3000])


def ordinary_amount(who: Customer, chance: Random) -> float:
    """An amount of habit in roughly dollars, log-normal around the usual one."""
    return who.usual * chance.lognormvariate(0, 0.4)


def in_currency(dollars: float, currency: str) -> str:
    """An amount in roughly dollars as an amount of `currency`, in its decimals and at least one minor unit."""
    decimals = CURRENCIES[currency]
    return f"{max(dollars * UNITS_PER_DOLLAR.get(currency, 1), 10**-decimals):.{decimals}f}"


def category_of(merchant_id: str) -> str:
    """The category a merchant always has."""
    return CATEGORIES[sum(merchant_id.encode()) % len(CATEGORIES)]
