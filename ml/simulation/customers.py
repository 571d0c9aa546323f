"""Simulated card holders, and what they pay on an ordinary day."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from random import Random

from ml.simulation.world import CATEGORIES, CITIES, Merchant, World, near
from shared.domain.transaction import Place

DAY_SECONDS = 86_400.0
USUAL_MERCHANTS = 12
LOYALTY = 0.85
"""Share of the payments that go to usual merchants."""
TREAT_SHARE = 0.01
"""Share of the payments that are several times as large as usual, and yet the card holder's own."""
DAYS_AFTER_PAYDAY = 3
DAYS_BETWEEN_TRIPS, TRIP_DAYS = 45, 6


@dataclass(frozen=True, slots=True)
class Customer:
    """`level` is what it spends over the median price, `pace` payments a day, `shift` hours later than others.

    `abroad` is the second currency of one who has two; `trip` the day on which a traveller's 45 days begin.
    """

    account_id: str
    city: int
    currency: str
    abroad: str | None
    home: Place
    level: float
    pace: float
    shift: float
    payday: int
    trip: int | None
    merchants: tuple[Merchant, ...]

    @property
    def usual(self) -> float:
        """A usual amount in roughly dollars."""
        return 32 * self.level

    @property
    def device_id(self) -> str:
        """The telephone that the customer pays with."""
        return f"dev-{self.account_id}"[:64]


@dataclass(frozen=True, slots=True)
class Payment:
    """Made `at` seconds since 1970 (UTC); `dollars` only roughly. A fraud names its attack."""

    at: float
    who: Customer
    merchant: Merchant
    dollars: float
    currency: str
    place: Place | None
    device_id: str
    attack: str | None = None


def customer(within: World, account_id: str, character: Random) -> Customer:
    """A customer whose habits follow from `character` alone."""
    city = character.randrange(len(CITIES))
    currency, centre = CITIES[city]
    return Customer(
        account_id,
        city,
        currency,
        abroad=character.choice(["EUR", "USD", "GBP"]) if character.random() < 0.15 else None,
        home=near(centre, character, 0.15),
        level=character.lognormvariate(0, 0.4),
        pace=min(8.0, character.lognormvariate(0.5, 0.6)),
        shift=character.gauss(0, 1.5),
        payday=character.randint(1, 28),
        trip=character.randrange(DAYS_BETWEEN_TRIPS) if character.random() < 0.2 else None,
        merchants=tuple(character.choices(within.merchants[city], k=USUAL_MERCHANTS)),
    )


def midnight(day: date) -> float:
    """When a UTC day begins, in seconds since 1970."""
    return datetime.combine(day, time(), UTC).timestamp()


def habit(who: Customer, within: World, day: date, chance: Random) -> Iterator[Payment]:
    """The payments of an ordinary day, in no order."""
    city = _city_on(who, day)
    if city is None:
        return
    paid_lately = 0 <= day.day - who.payday < DAYS_AFTER_PAYDAY
    for _ in range(_number(who.pace * (1.6 if paid_lately else 1), chance)):
        yield habitual(who, within, city, day, chance)


def habitual(who: Customer, within: World, city: int, day: date, chance: Random) -> Payment:
    """A payment as this customer usually makes it, in the city of the number `city`."""
    merchant = _merchant(who, within, city, chance)
    at = midnight(day) + _utc_hour(who, merchant, city, chance) * 3600
    abroad = who.abroad is not None and (city != who.city or chance.random() < 0.2)
    currency = who.abroad if abroad and who.abroad else who.currency
    dollars = ordinary_amount(who, merchant, chance)
    return Payment(round(at, 3), who, merchant, dollars, currency, merchant.place, who.device_id)


def ordinary_amount(who: Customer, merchant: Merchant, chance: Random) -> float:
    """What the customer pays there in roughly dollars: log-normal, seldom a treat."""
    usual = merchant.usual * who.level * chance.lognormvariate(0, CATEGORIES[merchant.category].spread)
    return usual * chance.uniform(3, 6) if chance.random() < TREAT_SHARE else usual


def _city_on(who: Customer, day: date) -> int | None:
    """Where the customer is that day; None on the way, when nothing is paid."""
    if who.trip is None:
        return who.city
    trip, since = divmod(day.toordinal() + who.trip, DAYS_BETWEEN_TRIPS)
    if since in (0, TRIP_DAYS - 1):
        return None
    return (who.city + trip) % len(CITIES) if since < TRIP_DAYS else who.city


def _number(mean: float, chance: Random) -> int:
    """Poisson distributed."""
    number, waited = 0, chance.expovariate(mean)
    while waited < 1:
        number, waited = number + 1, waited + chance.expovariate(mean)
    return number


def _merchant(who: Customer, within: World, city: int, chance: Random) -> Merchant:
    if city == who.city and chance.random() < LOYALTY:
        return who.merchants[int(len(who.merchants) * chance.random() ** 2)]
    return chance.choice(within.merchants[city])


def _utc_hour(who: Customer, merchant: Merchant, city: int, chance: Random) -> float:
    local = chance.gauss(CATEGORIES[merchant.category].hour + who.shift, 2.5)
    return (local - CITIES[city][1].lon / 15) % 24
