"""Attacks on simulated customers, each as the payments it consists of."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from ml.simulation.customers import DAY_SECONDS, Customer, Payment, ordinary_amount
from ml.simulation.world import ONLINE, Merchant, World, city_far_from, stranger

Payments = Iterator[Payment]
Course = Callable[[Sequence[Customer], World, float, Random], Payments]
"""The victims, the world, when it begins (seconds since 1970), chance -> payments in time order."""


@dataclass(frozen=True, slots=True)
class Attack:
    """Strikes `victims` customers of one city, is over within `days`, and consists of about `frauds` payments."""

    course: Course
    victims: int
    days: int
    frauds: int


def card_testing(victims: Sequence[Customer], within: World, start: float, chance: Random) -> Payments:
    """Small payments at one unknown shop within minutes, then a large one."""
    who, at, device = victims[0], start, _device(chance)
    shop = _online(within, city_far_from(who.home, chance), who, chance)
    for _ in range(chance.randint(6, 10)):
        yield _fraud("card_testing", at, who, shop, chance.uniform(0.5, 2.5), device=device)
        at += chance.uniform(4, 35)
    at += chance.uniform(30, 300)
    yield _fraud("card_testing", at, who, shop, who.usual * chance.uniform(12, 30), device=device)


def account_takeover(victims: Sequence[Customer], within: World, start: float, chance: Random) -> Payments:
    """Over two days, with a new device, at merchants and in categories unlike the usual: far too large amounts."""
    who, at, device = victims[0], start, _device(chance)
    shops = within.merchants[city_far_from(who.home, chance)]
    known = {merchant.category for merchant in who.merchants}
    unlike = [shop for shop in shops if shop.category not in known] or shops
    for _ in range(chance.randint(4, 9)):
        yield _fraud(
            "account_takeover", at, who, chance.choice(unlike), who.usual * chance.uniform(10, 40), device=device
        )
        at += min(chance.expovariate(1 / 8_000), 18_000)


def impossible_travel(victims: Sequence[Customer], within: World, start: float, chance: Random) -> Payments:
    """The card holder pays at home, a copy of the card on another continent shortly after."""
    who, at = victims[0], start
    around = _with_place(within, who.city)
    shop = chance.choice([merchant for merchant in who.merchants if merchant.place] or around)
    dollars = ordinary_amount(who, shop, chance)
    yield Payment(round(at, 3), who, shop, dollars, who.currency, shop.place, who.device_id)
    far, device = _with_place(within, city_far_from(who.home, chance)), _device(chance)
    for _ in range(chance.randint(1, 3)):
        at += chance.uniform(300, 1800)
        yield _fraud(
            "impossible_travel", at, who, chance.choice(far), who.usual * chance.uniform(2, 6), device=device
        )


def bust_out(victims: Sequence[Customer], within: World, start: float, chance: Random) -> Payments:
    """Three weeks of amounts that rise slowly (taken for legitimate), then the whole limit within hours."""
    who = victims[0]
    days = sorted(chance.uniform(0, 20) for _ in range(18))
    for day in days:
        shop = chance.choice(who.merchants)
        dollars = ordinary_amount(who, shop, chance) * (1 + day / 10)
        yield Payment(
            round(start + day * DAY_SECONDS, 3), who, shop, dollars, who.currency, shop.place, who.device_id
        )
    at, shops = start + 21 * DAY_SECONDS, within.merchants[who.city]
    for _ in range(chance.randint(8, 12)):
        shop = stranger(shops, who.merchants, chance)
        yield _fraud("bust_out", at, who, shop, who.usual * chance.uniform(12, 35), device=who.device_id)
        at += chance.uniform(300, 1500)


def compromised_merchant(victims: Sequence[Customer], within: World, start: float, chance: Random) -> Payments:
    """Over four weeks frauds at many accounts through one merchant of their city, amounts near its usual ones."""
    shop = chance.choice(_with_place(within, victims[0].city))
    for day in sorted(chance.uniform(0, 28) for _ in range(30)):
        dollars = shop.usual * chance.lognormvariate(0.3, 0.4)
        who = chance.choice(victims)
        yield _fraud("compromised_merchant", start + day * DAY_SECONDS, who, shop, dollars, device=_device(chance))


ATTACKS = {
    "card_testing": Attack(card_testing, 1, 1, 9),
    "account_takeover": Attack(account_takeover, 1, 2, 6),
    "impossible_travel": Attack(impossible_travel, 1, 1, 2),
    "bust_out": Attack(bust_out, 1, 22, 10),
    "compromised_merchant": Attack(compromised_merchant, 25, 29, 30),
}


def _fraud(attack: str, at: float, who: Customer, shop: Merchant, dollars: float, *, device: str) -> Payment:
    return Payment(round(at, 3), who, shop, dollars, who.currency, shop.place, device, attack)


def _device(chance: Random) -> str:
    return f"dev-{chance.getrandbits(48):012x}"


def _online(within: World, city: int, who: Customer, chance: Random) -> Merchant:
    shops = within.merchants[city]
    return stranger([shop for shop in shops if shop.category == ONLINE] or shops, who.merchants, chance)


def _with_place(within: World, city: int) -> Sequence[Merchant]:
    shops = within.merchants[city]
    return [shop for shop in shops if shop.place] or shops
