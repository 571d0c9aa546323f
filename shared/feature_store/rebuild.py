"""Account histories from the books, written to Redis: of accounts it does not know, or in place of what it has."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha1
from itertools import chain
from math import inf

import redis

from shared.domain.account_history import AccountHistory
from shared.domain.currencies import CURRENCIES
from shared.domain.errors import DatabaseUnavailable
from shared.domain.history import AccountPast
from shared.feature_store.keys import history_keys
from shared.feature_store.scripts import LAYOUT, Words
from shared.feature_store.writing import UNKNOWN, WRITE, completion_call, write_call
from shared.ports import AccountPasts
from shared.telemetry import metrics

PAGE = 10
"""Accounts whose events are compared, or whose histories are written, together."""

PORTION = 5_000
"""Single events from which on histories are written, so that few wait in memory."""

Call = Callable[[str, AccountHistory], Words]
"""The call of write.lua for an account."""


class Lack(IntEnum):
    """What Redis lacks of an account that it cannot observe; the numbers are those of observe.lua."""

    EVERYTHING = 0
    MARKER = 1
    ADDED_PARTS = 2


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many accounts were written, with how many single transactions, and which were left as they are."""

    accounts: int = 0
    transactions: int = 0
    left: tuple[str, ...] = ()

    def __add__(self, other: "Rebuilt") -> "Rebuilt":
        return Rebuilt(
            self.accounts + other.accounts, self.transactions + other.transactions, self.left + other.left
        )


def load(client: redis.Redis, pasts: AccountPasts, unknown: Mapping[str, Lack], *, until: float = inf) -> Rebuilt:
    """Write the accounts that Redis does not know, each unless somebody else did meanwhile.

    Keys without a marker are replaced. To an older layout only what it lacks is added: what it has may be ahead of
    the books. Raises Redis' own errors and DatabaseUnavailable, also once `until` (of `time.monotonic()`) has
    passed; what was read until then is written, so that the next attempt has less to do.
    """

    def call(name: str, history: AccountHistory) -> Words:
        if unknown[name] is Lack.ADDED_PARTS:
            return completion_call(name, history)
        stale = CURRENCIES if unknown[name] is Lack.MARKER else ()
        return write_call(name, history, condition=UNKNOWN, stale=stale)

    return _read_and_write(client, pasts, list(unknown), call, until)


def find_unknown(client: redis.Redis, account_ids: Sequence[str]) -> dict[str, Lack]:
    """The accounts among these that Redis does not know, each with what it lacks."""
    with client.pipeline(transaction=False) as pipeline:
        for name in account_ids:
            keys = history_keys(name, "")
            pipeline.get(keys.known)
            pipeline.exists(keys.events)
        found = pipeline.execute()
    pairs = zip(account_ids, found[::2], found[1::2], strict=True)
    return {
        name: Lack.ADDED_PARTS if known else Lack(events)
        for name, known, events in pairs
        if int(known or 0) < LAYOUT
    }


def replace(client: redis.Redis, pasts: AccountPasts, account_ids: Sequence[str]) -> Rebuilt:
    """Write these accounts' histories from the books in place of what Redis has; safe beside scorers.

    An account is left as it is where it has an event that is neither recorded nor rejected yet, or was observed
    meanwhile: try it again. Raises DatabaseUnavailable and Redis' own errors.
    """
    rebuilt = Rebuilt()
    for page in pages(account_ids):
        events = _events(client, page)
        unsettled = pasts.unsettled([*chain.from_iterable(events.values())])
        settled = {name: _condition(ids) for name, ids in events.items() if unsettled.isdisjoint(ids)}

        def call(name: str, history: AccountHistory, conditions: Mapping[str, str] = settled) -> Words:
            return write_call(name, history, condition=conditions[name], stale=CURRENCIES)

        busy = tuple(name for name in page if name not in settled)
        rebuilt += _read_and_write(client, pasts, list(settled), call, inf) + Rebuilt(left=busy)
    return rebuilt


def pages(account_ids: Sequence[str]) -> Iterable[Sequence[str]]:
    """The accounts, PAGE at a time."""
    return (account_ids[first : first + PAGE] for first in range(0, len(account_ids), PAGE))


def _read_and_write(
    client: redis.Redis, pasts: AccountPasts, account_ids: Sequence[str], call: Call, until: float
) -> Rebuilt:
    rebuilt = Rebuilt()
    with closing(pasts.load(account_ids, until=until)) as told:
        for portion in _portions(told):
            rebuilt += _write(client, portion, call)
    return rebuilt


def _portions(told: Iterable[tuple[str, AccountPast]]) -> Iterator[dict[str, AccountHistory]]:
    """The histories in the order in which they are read, some at a time; all that were read before an error."""
    portion: dict[str, AccountHistory] = {}
    try:
        for name, past in told:
            portion[name] = AccountHistory.of(past)
            if len(portion) >= PAGE or sum(len(each.events) for each in portion.values()) >= PORTION:
                yield portion
                portion = {}
    except DatabaseUnavailable:
        yield portion
        raise
    yield portion


def _write(client: redis.Redis, histories: Mapping[str, AccountHistory], call: Call) -> Rebuilt:
    calls = [call(name, history) for name, history in histories.items()]
    done = dict(zip(histories, WRITE.call(client, calls), strict=True))
    written = [len(histories[name].events) for name, is_done in done.items() if is_done]
    metrics.count(metrics.HISTORY_LOADED, sum(1 for events in written if events))
    return Rebuilt(len(written), sum(written), tuple(name for name, is_done in done.items() if not is_done))


def _events(client: redis.Redis, account_ids: Sequence[str]) -> dict[str, list[str]]:
    """The ids of the single events that Redis has of each account, in order."""
    with client.pipeline(transaction=False) as pipeline:
        for name in account_ids:
            pipeline.zrange(history_keys(name, "").events, 0, -1)
        found = pipeline.execute()
    return {name: [each.decode() for each in ids] for name, ids in zip(account_ids, found, strict=True)}


def _condition(events: Sequence[str]) -> str:
    return sha1(" ".join(events).encode(), usedforsecurity=False).hexdigest()
