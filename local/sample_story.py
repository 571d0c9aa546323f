"""What the sample traffic tells: simulated customers pay by habit, and now and then one of them is attacked.

A seed gives the same story every time; only the victims' account ids carry the run, so that each run meets them
unharmed. Each victim gets a short past first, so that the attack stands out from it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from heapq import heappop, heappush, merge
from itertools import count
from random import Random
from typing import Any

from ml.simulation.attacks import ATTACKS
from ml.simulation.customers import Customer, Payment, customer, habit, habitual, midnight
from ml.simulation.row import posted
from ml.simulation.world import World, world

CUSTOMERS = 200_000
"""At 20 payments a second each pays about nine times a day: as often as people do, not as often as robots."""
MERCHANTS_PER_CITY = 200

FIRST_ATTACKS_SECONDS = (1.0, 4.0, 7.0, 10.0, 13.0)
SECONDS_BETWEEN_ATTACKS = 40.0
MOST_PAST_PAYMENTS = 24
PAST_DAYS = 20
HEAD_START_SECONDS = 4.0
"""Between a victim's past and the attack: enough for the past to be scored."""
STEP_SECONDS = 0.5
"""Between the payments of an attack, which are dated as far apart as the attack has them."""
LAST_DAY = date(2025, 1, 31)
"""On which every attack of the story begins; what counts is only how long before the newest payment each was."""

STRIKING = ("account_takeover", "impossible_travel", "card_testing", "bust_out")
"""The attacks that one account's history shows; frauds through a merchant are only found with labels."""


@dataclass(frozen=True, slots=True)
class Due:
    """A payment to post `due` seconds after the start, dated `ago` before that moment."""

    due: float
    payment: Payment
    ago: timedelta = timedelta(0)

    @property
    def who(self) -> Customer:
        """Whose payment it is."""
        return self.payment.who

    def posted(self, transaction_id: str, now: datetime) -> dict[str, Any]:
        """What a client posts at `now`."""
        return posted(self.payment, transaction_id, now - self.ago)


@dataclass(frozen=True, slots=True)
class Cast:
    """The customers of a seed, made when they are met."""

    seed: int
    world: World

    def customer(self, account_id: str, character: str) -> Customer:
        """The same customer for the same `character`, under whatever account id."""
        return customer(self.world, account_id, Random(f"{self.seed}:{character}"))

    def ordinary(self, who: Customer, chance: Random) -> Payment:
        """A payment of habit."""
        return habitual(who, self.world, who.city, LAST_DAY, chance)

    def attack(self, number: int, victim: Customer, chance: Random) -> list[Payment]:
        """An attack on the victim, and what leads to it, in time order; the kinds take turns."""
        course = ATTACKS[STRIKING[number % len(STRIKING)]].course
        return [*course([victim], self.world, midnight(LAST_DAY), chance)]

    def past(self, who: Customer, chance: Random) -> list[Payment]:
        """The payments of the days before, in time order."""
        days = (LAST_DAY - timedelta(days=ago) for ago in range(PAST_DAYS, 0, -1))
        payments = [payment for day in days for payment in habit(who, self.world, day, chance)]
        return sorted(payments, key=lambda payment: payment.at)


def cast_of(seed: int) -> Cast:
    """Who appears in the story of a seed."""
    return Cast(seed, world(seed, MERCHANTS_PER_CITY))


def story(seed: int, rate: float, run: str) -> Iterator[Due]:
    """Payments by `due`, without end: `rate` ordinary ones a second, and the attacks."""
    cast = cast_of(seed)
    return merge(ordinary(cast, rate), attacks(cast, run), key=lambda each: each.due)


def ordinary(cast: Cast, rate: float) -> Iterator[Due]:
    """Payments of habit by customers chosen at random."""
    chance, due = Random(f"{cast.seed}:ordinary"), 0.0
    while True:
        due += chance.expovariate(rate)
        number = chance.randrange(CUSTOMERS)
        yield Due(due, cast.ordinary(cast.customer(f"acct-{number:06}", f"customer:{number}"), chance))


def attacks(cast: Cast, run: str) -> Iterator[Due]:
    """All attacks' payments by `due`; attacks may overlap."""
    chance, waiting, order = Random(f"{cast.seed}:attacks"), list[tuple[float, int, Due]](), count()
    for number, start in enumerate(attack_times(chance)):
        while waiting and waiting[0][0] <= start:
            yield heappop(waiting)[2]
        victim = cast.customer(f"acct-{run}-{number}", f"victim:{number}")
        for each in struck([*cast.past(victim, chance), *cast.attack(number, victim, chance)], start):
            heappush(waiting, (each.due, next(order), each))


def attack_times(chance: Random) -> Iterator[float]:
    """Several within the first seconds, so that a fresh dashboard shows something; then a trickle."""
    yield from FIRST_ATTACKS_SECONDS
    start = FIRST_ATTACKS_SECONDS[-1]
    while True:
        start += chance.uniform(0.5, 1.5) * SECONDS_BETWEEN_ATTACKS
        yield start


def struck(payments: list[Payment], start: float) -> Iterator[Due]:
    """The victim's past all at once, then the frauds step by step, the last one dated when it is posted."""
    past = [payment for payment in payments if not payment.attack][-MOST_PAST_PAYMENTS:]
    frauds = [payment for payment in payments if payment.attack]
    dues = [start] * len(past) + [start + HEAD_START_SECONDS + n * STEP_SECONDS for n in range(len(frauds))]
    for due, payment in zip(dues, [*past, *frauds], strict=True):
        before = (payments[-1].at - payment.at) - (dues[-1] - due)
        yield Due(due, payment, timedelta(seconds=max(0.0, before)))
