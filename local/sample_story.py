"""What the sample traffic tells: ordinary payments of many customers, and now and then an attack on one of them.

A seed gives the same story every time; only the victims' account ids carry the run, so that each run meets them
unharmed. Each victim gets a short past first, so that the attack stands out from it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from heapq import heappop, heappush, merge
from itertools import count
from random import Random

from local.sample_customers import Customer, customer, far_from, near, ordinary_amount
from shared.domain.transaction import Place

CUSTOMERS = 200_000
"""At 20 payments a second each pays about nine times a day: as often as people do, not as often as robots."""

FIRST_ATTACKS_SECONDS = (1.0, 4.0, 7.0, 10.0, 13.0)
SECONDS_BETWEEN_ATTACKS = 40.0
PAST_PAYMENTS = 24
PAST_DAYS = 12.0
HEAD_START_SECONDS = 4.0
"""Between a victim's past and the attack: enough for the past to be scored."""


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment to post `due` seconds after the start, dated `ago` before that moment; `dollars` only roughly."""

    due: float
    who: Customer
    merchant_id: str
    dollars: float
    place: Place
    ago: timedelta = timedelta(0)


Attack = Callable[[Customer, float, Random], Iterator[Payment]]


def story(seed: int, rate: float, run: str) -> Iterator[Payment]:
    """Payments by `due`, without end: `rate` ordinary ones a second, and the attacks."""
    return merge(ordinary(seed, rate), attacks(seed, run), key=lambda payment: payment.due)


def ordinary(seed: int, rate: float) -> Iterator[Payment]:
    """Payments of habit by customers chosen at random."""
    chance, due = Random(f"{seed}:ordinary"), 0.0
    while True:
        due += chance.expovariate(rate)
        number = chance.randrange(CUSTOMERS)
        who = customer(f"acct-{number:06}", Random(f"{seed}:customer:{number}"))
        yield habitual(who, due, chance)


def habitual(who: Customer, due: float, chance: Random, ago: timedelta = timedelta(0)) -> Payment:
    """A payment as this customer usually makes it."""
    place = near(who.home, chance, 0.1)
    return Payment(due, who, chance.choice(who.merchants), ordinary_amount(who, chance), place, ago)


def attacks(seed: int, run: str) -> Iterator[Payment]:
    """All attacks' payments by `due`; attacks may overlap."""
    chance, waiting, order = Random(f"{seed}:attacks"), list[tuple[float, int, Payment]](), count()
    for number, start in enumerate(attack_times(chance)):
        while waiting and waiting[0][0] <= start:
            yield heappop(waiting)[2]
        victim = customer(f"acct-{run}-{number}", Random(f"{seed}:victim:{number}"))
        for payment in [*past(victim, start, chance), *_attack(number, victim, start, chance)]:
            heappush(waiting, (payment.due, next(order), payment))


def attack_times(chance: Random) -> Iterator[float]:
    """Several within the first seconds, so that a fresh dashboard shows something; then a trickle."""
    yield from FIRST_ATTACKS_SECONDS
    start = FIRST_ATTACKS_SECONDS[-1]
    while True:
        start += chance.uniform(0.5, 1.5) * SECONDS_BETWEEN_ATTACKS
        yield start


def past(who: Customer, due: float, chance: Random) -> Iterator[Payment]:
    """The last days of a customer, oldest first, all posted at once."""
    ages = sorted((chance.uniform(0.2, PAST_DAYS) for _ in range(PAST_PAYMENTS)), reverse=True)
    return (habitual(who, due, chance, timedelta(days=age)) for age in ages)


def account_takeover(who: Customer, start: float, chance: Random) -> Iterator[Payment]:
    """Three large payments far from home within seconds."""
    where = far_from(who.home, chance)
    for step in range(3):
        dollars = who.usual * chance.uniform(25, 60)
        yield Payment(start + 3 * step, who, f"mer-far-{chance.randrange(500)}", dollars, where)


def card_testing(who: Customer, start: float, chance: Random) -> Iterator[Payment]:
    """Small payments at one unknown shop in quick succession, then a large one."""
    shop, where = f"mer-far-{chance.randrange(500)}", far_from(who.home, chance)
    for step in range(6):
        yield Payment(start + step, who, shop, chance.uniform(0.5, 2), where)
    yield Payment(start + 8, who, shop, who.usual * chance.uniform(15, 30), where)


def impossible_travel(who: Customer, start: float, chance: Random) -> Iterator[Payment]:
    """A payment at home, and one on another continent shortly after."""
    yield habitual(who, start, chance)
    where = far_from(who.home, chance)
    yield Payment(start + 5, who, f"mer-far-{chance.randrange(500)}", who.usual * chance.uniform(2, 6), where)


ATTACKS: tuple[Attack, ...] = (account_takeover, impossible_travel, card_testing)


def _attack(number: int, victim: Customer, start: float, chance: Random) -> Iterator[Payment]:
    return ATTACKS[number % len(ATTACKS)](victim, start + HEAD_START_SECONDS, chance)
