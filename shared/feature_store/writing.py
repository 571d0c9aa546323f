"""An account's history as the Redis commands that write it."""

from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from struct import Struct

from shared.domain.account_history import AccountHistory
from shared.domain.account_parts import Amounts, FirstSeen
from shared.domain.transaction import Place
from shared.feature_store.keys import HistoryKeys, all_keys, history_keys
from shared.feature_store.scripts import KEPT_SECONDS, LAYOUT, Script, Words

WRITE = Script("write.lua")
UNKNOWN, OLDER = "unknown", "older"
"""The conditions that the account has no marker yet, and that its marker is of an older layout."""

_TOTALS, _HOUR_TOTALS = Struct("<4d"), Struct("<IIdd")
_PAIRS = 500
"""In one command; Lua unpacks some thousands of values at most."""

Pair = tuple[str | int, str | int | bytes]


def place_text(place: Place | None) -> str:
    """A place as observe.lua keeps it; empty for none."""
    return f"{place.lat!r} {place.lon!r}" if place else ""


def write_call(account_id: str, history: AccountHistory, *, condition: str, stale: Collection[str] = ()) -> Words:
    """The call of write.lua that writes this history, instead of what stands there in the `stale` currencies."""
    currencies = {*history.amounts, *stale}
    keys = history_keys(account_id, "")
    named = [keys.known, keys.events, *all_keys(account_id, currencies)]
    commands = _commands(account_id, history)
    if stale:
        commands = chain([("DEL", *all_keys(account_id, currencies))], commands)
    return (len(named), *named, condition, *_counted(commands))


def completion_call(account_id: str, history: AccountHistory) -> Words:
    """The call of write.lua that adds to an account of the older layout what that one had not."""
    keys = history_keys(account_id, "")
    named = [keys.known, keys.events, keys.categories, keys.hours]
    commands = [("DEL", keys.categories, keys.hours), *_added_commands(keys, history)]
    return (len(named), *named, OLDER, *_counted(commands))


def _counted(commands: Iterable[Words]) -> Iterator[str | int | bytes]:
    return (word for each in commands for word in (len(each), *each))


def _commands(account_id: str, history: AccountHistory) -> Iterator[Words]:
    keys = history_keys(account_id, "")
    places = ((name, place_text(place)) for name, (_, _, place) in history.counted.items() if place)
    yield from _fill("ZADD", keys.events, history.events)
    yield from _fill("HSET", keys.places, places)
    yield from _fill("ZADD", keys.merchants, _first_seen(history.merchants))
    for currency, amounts in history.amounts.items():
        yield from _amount_commands(history_keys(account_id, currency), amounts)
    yield from _added_commands(keys, history)


def _added_commands(keys: HistoryKeys, history: AccountHistory) -> Iterator[Words]:
    """What layout 2 added, and its marker."""
    yield from _fill("ZADD", keys.categories, _first_seen(history.categories))
    if history.hours.days:
        packed = (_HOUR_TOTALS.pack(day, *totals[:3]) for day, totals in history.hours.days.items())
        yield ("SET", keys.hours, b"".join(packed), "EX", KEPT_SECONDS)
    yield ("SET", keys.known, LAYOUT, "EX", KEPT_SECONDS)


def _first_seen(seen: FirstSeen) -> Iterator[Pair]:
    return ((first, name) for name, first in seen.first.items())


def _amount_commands(keys: HistoryKeys, amounts: Amounts) -> Iterator[Words]:
    so_far = zip(amounts.keys, amounts.so_far, strict=True)
    yield from _fill("ZADD", keys.amounts, amounts.keys)
    yield from _fill("HSET", keys.so_far, ((name, _TOTALS.pack(*totals)) for (_, name), totals in so_far))
    yield from _fill("HSET", keys.days, ((day, _TOTALS.pack(*totals)) for day, totals in amounts.days.items()))


def _fill(command: str, key: str, pairs: Iterable[Pair]) -> Iterator[Words]:
    """The command with all pairs, some at a time, and the key's expiry; nothing where there are none."""
    words = [*chain.from_iterable(pairs)]
    for first in range(0, len(words), 2 * _PAIRS):
        yield (command, key, *words[first : first + 2 * _PAIRS])
    if words:
        yield ("EXPIRE", key, KEPT_SECONDS)
