"""What the load consists of: seeded payments of a few thousand customers, attacks among them, cut into parcels."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from heapq import merge
from itertools import count
from random import Random

from local.sample_story import LAST_DAY, Cast, Due, cast_of
from ml.simulation.customers import Customer, Payment, midnight
from ml.simulation.world import Merchant, far_from

CUSTOMERS = 3_000
"""Few enough for every account to have a past within minutes."""
OLDEST_SECONDS = timedelta(hours=40).total_seconds()
"""Within what a history keeps as single events, so that every event must count."""
LATE_SHARE, OUT_OF_ORDER_SHARE, OUT_OF_ORDER_SECONDS = 0.05, 0.1, 120.0
SECONDS_BETWEEN_ATTACKS = 2.0
ALARM_DOLLARS = 9_999.99


class Door(StrEnum):
    """How a parcel goes in: POST /transactions, POST /transactions/batch, or straight to the queue."""

    SINGLE = "single"
    BATCH = "batch"
    QUEUE = "queue"


class Twist(StrEnum):
    """What is special about a parcel: sent twice, sent again with other content, or not valid at all."""

    NONE = "none"
    TWICE = "twice"
    OTHER_CONTENT = "other-content"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Parcel:
    """Payments that leave together `due` seconds after the start."""

    due: float
    door: Door
    payments: tuple[Due, ...]
    twist: Twist = Twist.NONE


SIZES = {Door.SINGLE: 1, Door.BATCH: 40, Door.QUEUE: 30}
"""Payments of a parcel, on average."""
SHARES = {Door.SINGLE: 0.15, Door.BATCH: 0.7, Door.QUEUE: 0.15}
"""Of all payments."""
TWISTS = {Twist.NONE: 0.95, Twist.TWICE: 0.03, Twist.OTHER_CONTENT: 0.01, Twist.INVALID: 0.01}
"""Of the parcels that go through HTTP."""


def parcels(seed: int, rate: float) -> Iterator[Parcel]:
    """Parcels by `due`, without end: about `rate` payments a second."""
    chance, waiting = Random(f"{seed}:parcels"), payments(seed, rate)
    while True:
        door = chance.choices([*SIZES], weights=[SHARES[each] / size for each, size in SIZES.items()])[0]
        together = tuple(next(waiting) for _ in range(chance.randint(1, 2 * SIZES[door] - 1)))
        twist = chance.choices([*TWISTS], weights=[*TWISTS.values()])[0]
        yield Parcel(together[-1].due, door, together, Twist.NONE if door is Door.QUEUE else twist)


def payments(seed: int, rate: float) -> Iterator[Due]:
    """Payments by `due`, without end: ordinary ones, attacks on some customers, and one alarm a second or more."""
    alarming, cast = max(1.2, rate / 200), cast_of(seed)
    return merge(
        _ordinary(cast, rate - alarming), _attacks(cast), alarms(seed, alarming), key=lambda payment: payment.due
    )


def alarms(seed: int, rate: float, name: str = "alarm") -> Iterator[Due]:
    """Payments that are HIGH on their own: each a new account that spends much on another continent."""
    chance, due, cast = Random(f"{seed}:{name}"), 0.0, cast_of(seed)
    for number in count():
        due += chance.expovariate(rate)
        who = cast.customer(f"acct-{name}-{number}", f"{name}:{number}")
        shop = Merchant("mer-jeweller", "jewellery", 1.0, far_from(who.home, chance))
        at = midnight(LAST_DAY)
        yield Due(due, Payment(at, who, shop, ALARM_DOLLARS, "USD", shop.place, who.device_id, "alarm"))


def _ordinary(cast: Cast, rate: float) -> Iterator[Due]:
    chance, due = Random(f"{cast.seed}:ordinary"), 0.0
    while True:
        due += chance.expovariate(rate)
        payment = cast.ordinary(_customer(cast, chance), chance)
        yield Due(due, payment, timedelta(seconds=_late_by(chance)))


def _late_by(chance: Random) -> float:
    if chance.random() < LATE_SHARE:
        return chance.uniform(0, OLDEST_SECONDS)
    return chance.uniform(0, OUT_OF_ORDER_SECONDS) if chance.random() < OUT_OF_ORDER_SHARE else 0.0


def _attacks(cast: Cast) -> Iterator[Due]:
    """Attacks that begin one after the other and overlap."""
    chance = Random(f"{cast.seed}:attacks")
    starts = (SECONDS_BETWEEN_ATTACKS * number for number in count())
    under_way: list[Due] = []
    for number, start in enumerate(starts):
        course = cast.attack(number, _customer(cast, chance), chance)
        frauds = [payment for payment in course if payment.attack]
        under_way += [Due(start + second, payment) for second, payment in enumerate(frauds)]
        under_way.sort(key=lambda payment: payment.due)
        while under_way and under_way[0].due < start + SECONDS_BETWEEN_ATTACKS:
            yield under_way.pop(0)


def _customer(cast: Cast, chance: Random) -> Customer:
    number = chance.randrange(CUSTOMERS)
    return cast.customer(f"acct-{number:04}", f"customer:{number}")
