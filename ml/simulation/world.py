"""Where simulated customers live and pay: cities, categories with their prices and hours, and merchants."""

from collections.abc import Sequence
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
FAR_KM = 3000
ONLINE = "online"


@dataclass(frozen=True, slots=True)
class Category:
    """`dollars` is the median price, `spread` the standard deviation of its log, `hour` when most is paid (local
    time), `share` the share of merchants."""

    dollars: float
    spread: float
    hour: float
    share: float


CATEGORIES = {
    "grocery": Category(32, 0.5, 17, 0.24),
    "fuel": Category(40, 0.3, 8, 0.12),
    "restaurant": Category(24, 0.5, 19, 0.18),
    "pharmacy": Category(16, 0.5, 14, 0.08),
    "clothing": Category(45, 0.5, 15, 0.12),
    "electronics": Category(90, 0.6, 16, 0.06),
    "travel": Category(110, 0.6, 12, 0.05),
    ONLINE: Category(35, 0.6, 21, 0.15),
}


@dataclass(frozen=True, slots=True)
class Merchant:
    """`level` is its prices over those of its category. One that sells online only has no place."""

    merchant_id: str
    category: str
    level: float
    place: Place | None

    @property
    def usual(self) -> float:
        """The median price in roughly dollars."""
        return CATEGORIES[self.category].dollars * self.level


@dataclass(frozen=True, slots=True)
class World:
    """The merchants of each city, in the order of CITIES."""

    merchants: tuple[tuple[Merchant, ...], ...]


def world(seed: int, merchants_per_city: int) -> World:
    """The world of a seed."""
    cities = range(len(CITIES))
    return World(tuple(_merchants(city, merchants_per_city, Random(f"{seed}:city:{city}")) for city in cities))


def _merchants(city: int, number: int, chance: Random) -> tuple[Merchant, ...]:
    shares = [category.share for category in CATEGORIES.values()]
    categories = chance.choices([*CATEGORIES], shares, k=number)
    centre = CITIES[city][1]
    return tuple(
        Merchant(
            f"mer-{city}-{n}",
            category,
            chance.lognormvariate(0, 0.3),
            None if category == ONLINE else near(centre, chance, 0.15),
        )
        for n, category in enumerate(categories)
    )


def near(place: Place, chance: Random, degrees: float) -> Place:
    """A place at most so many degrees of latitude and longitude away."""
    lat, lon = chance.uniform(-degrees, degrees), chance.uniform(-degrees, degrees)
    return Place(round(place.lat + lat, 5), round(place.lon + lon, 5))


def far_from(place: Place, chance: Random) -> Place:
    """A city at least FAR_KM away."""
    return CITIES[city_far_from(place, chance)][1]


def city_far_from(place: Place, chance: Random) -> int:
    """The number of a city at least FAR_KM away."""
    return chance.choice([n for n, (_, city) in enumerate(CITIES) if city.distance_km(place) >= FAR_KM])


def stranger(merchants: Sequence[Merchant], known: Sequence[Merchant], chance: Random) -> Merchant:
    """One of `merchants` that is not in `known`, where there is one."""
    return chance.choice([merchant for merchant in merchants if merchant not in known] or merchants)


def in_currency(dollars: float, currency: str) -> str:
    """An amount in roughly dollars as an amount of `currency`, in its decimals and at least one minor unit."""
    decimals = CURRENCIES[currency]
    return f"{max(dollars * UNITS_PER_DOLLAR.get(currency, 1), 10**-decimals):.{decimals}f}"
