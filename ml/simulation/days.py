"""The simulation day by day: everybody's habits, and attacks as often as the share of fraud asks for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from heapq import heappop, heappush
from itertools import count
from random import Random

from ml.simulation.attacks import ATTACKS
from ml.simulation.customers import DAY_SECONDS, Customer, Payment, customer, habit, midnight
from ml.simulation.world import World, world


@dataclass(frozen=True, slots=True)
class Plan:
    """What to simulate; `fraud_share` of the payments are frauds."""

    seed: int
    customers: int
    first: date
    days: int
    fraud_share: float

    @property
    def last(self) -> date:
        """The last day."""
        return self.first + timedelta(days=self.days - 1)


def simulated(plan: Plan) -> Iterator[list[Payment]]:
    """The payments of each day in time order. Equal plans give equal payments; memory holds one day."""
    within = world(plan.seed, 15 + plan.customers // 40)
    everyone = [
        customer(within, f"acct-{plan.seed}-{n}", Random(f"{plan.seed}:customer:{n}"))
        for n in range(plan.customers)
    ]
    chance, attackers = Random(f"{plan.seed}:habits"), _Attackers(plan, within, everyone)
    for number in range(plan.days):
        day = plan.first + timedelta(days=number)
        ordinary = [payment for who in everyone for payment in habit(who, within, day, chance)]
        yield sorted([*ordinary, *attackers.on(day, len(ordinary))], key=lambda payment: payment.at)


class _Attackers:
    """Begins attacks that end before the simulation does, so that the share of fraud comes out as planned."""

    def __init__(self, plan: Plan, within: World, everyone: Sequence[Customer]) -> None:
        self._plan, self._within, self._everyone = plan, within, everyone
        self._chance = Random(f"{plan.seed}:attacks")
        self._waiting: list[tuple[float, int, Payment]] = []
        self._order = count()
        self._owed = 0.0
        self._turn = list[str]()

    def on(self, day: date, ordinary: int) -> Iterator[Payment]:
        """The attacks' payments of a day with so many ordinary ones."""
        share = self._plan.fraud_share
        self._owed += ordinary * share / (1 - share)
        while (name := self._next(day)) and self._owed >= ATTACKS[name].frauds / 2:
            self._turn.remove(name)
            self._begin(name, midnight(day))
        tomorrow = midnight(day) + DAY_SECONDS
        while self._waiting and self._waiting[0][0] < tomorrow:
            yield heappop(self._waiting)[2]

    def _next(self, day: date) -> str | None:
        """Each kind once in a shuffled order, then again, without those that would take too long."""
        days_left = (self._plan.last - day).days
        short = [name for name, attack in ATTACKS.items() if attack.days <= days_left]
        self._turn = [name for name in self._turn if name in short] or self._chance.sample(short, len(short))
        return self._turn[0] if self._turn else None

    def _begin(self, name: str, today: float) -> None:
        attack, first = ATTACKS[name], self._chance.choice(self._everyone)
        neighbours = [who for who in self._everyone if who.city == first.city]
        victims = [first, *self._chance.choices(neighbours, k=attack.victims - 1)]
        start = today + self._chance.uniform(0, DAY_SECONDS)
        for payment in attack.course(victims, self._within, start, self._chance):
            heappush(self._waiting, (payment.at, next(self._order), payment))
            self._owed -= payment.attack is not None
