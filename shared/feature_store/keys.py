"""The Redis keys that hold one account's history, as observe.lua takes them."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from shared.domain.currencies import CURRENCIES
from shared.redis_keys import KNOWN, REFUSALS, account_key


class HistoryKeys(NamedTuple):
    """The keys of one account for one currency, in the order of observe.lua."""

    known: str
    events: str
    places: str
    merchants: str
    categories: str
    hours: str
    refused: str
    amounts: str
    so_far: str
    days: str


def history_keys(account_id: str, currency: str) -> HistoryKeys:
    """The keys that an observation in this currency touches."""
    account = account_key(account_id, "")
    return HistoryKeys(
        account + KNOWN,
        account + "events",
        account + "places",
        account + "merchants",
        account + "categories",
        account + "hours",
        account + REFUSALS,
        f"{account}amounts:{currency}",
        f"{account}so_far:{currency}",
        f"{account}days:{currency}",
    )


def all_keys(account_id: str, currencies: Iterable[str] = CURRENCIES) -> Iterator[str]:
    """Every key that the account's history may have in these currencies; refusals are the rate limiter's."""
    keys = history_keys(account_id, "")
    yield from (keys.known, keys.events, keys.places, keys.merchants, keys.categories, keys.hours)
    for currency in currencies:
        yield from (keys.amounts + currency, keys.so_far + currency, keys.days + currency)
