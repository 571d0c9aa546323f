"""Account histories from the books, written to Redis: of accounts it does not know, or in place of what it has."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha1
from itertools import chain

import redis

from shared.domain.account_history import AccountHistory
from shared.domain.currencies import CURRENCIES
from shared.domain.history import AccountPast
from shared.feature_store.keys import history_keys
from shared.feature_store.scripts import Words
from shared.feature_store.writing import UNKNOWN, WRITE, write_call
from shared.ports import AccountPasts
from shared.telemetry import metrics

PAGE = 100
"""Accounts in one query, so that it stays far below the database's limit for a statement."""


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


def load(client: redis.Redis, pasts: AccountPasts, unknown: Mapping[str, bool]) -> Rebuilt:
    """Write the accounts that Redis does not know, each unless somebody else did meanwhile.

    `unknown` says of each account whether it has keys all the same, written before there was a marker: those
    are replaced. Raises DatabaseUnavailable and Redis' own errors; what was written until then stays.
    """
    rebuilt = Rebuilt()
    for page in pages(list(unknown)):
        known = pasts.load(page)
        calls = [
            write_call(
                name,
                AccountHistory.of(known[name]),
                condition=UNKNOWN,
                stale=CURRENCIES if unknown[name] else (),
            )
            for name in page
        ]
        rebuilt += _write(client, known, page, calls)
    return rebuilt


def find_unknown(client: redis.Redis, account_ids: Sequence[str]) -> dict[str, bool]:
    """The accounts among these that Redis does not know, each with whether it has keys all the same."""
    with client.pipeline(transaction=False) as pipeline:
        for name in account_ids:
            keys = history_keys(name, "")
            pipeline.exists(keys.known)
            pipeline.exists(keys.events)
        found = pipeline.execute()
    pairs = zip(account_ids, found[::2], found[1::2], strict=True)
    return {name: bool(events) for name, known, events in pairs if not known}


def replace(client: redis.Redis, pasts: AccountPasts, account_ids: Sequence[str]) -> Rebuilt:
    """Write these accounts' histories from the books in place of what Redis has; safe beside scorers.

    An account is left as it is where it has an event that is neither recorded nor rejected yet, or was observed
    meanwhile: try it again. Raises DatabaseUnavailable and Redis' own errors.
    """
    rebuilt = Rebuilt()
    for page in pages(account_ids):
        events = _events(client, page)
        unsettled = pasts.unsettled([*chain.from_iterable(events.values())])
        settled = [name for name in page if not unsettled & set(events[name])]
        known = pasts.load(settled)
        calls = [
            write_call(name, AccountHistory.of(known[name]), condition=_condition(events[name]), stale=CURRENCIES)
            for name in settled
        ]
        busy = tuple(name for name in page if name not in known)
        rebuilt += _write(client, known, settled, calls) + Rebuilt(left=busy)
    return rebuilt


def pages(account_ids: Sequence[str]) -> Iterable[Sequence[str]]:
    """The accounts, PAGE at a time."""
    return (account_ids[first : first + PAGE] for first in range(0, len(account_ids), PAGE))


def _write(
    client: redis.Redis, known: Mapping[str, AccountPast], names: Sequence[str], calls: Sequence[Words]
) -> Rebuilt:
    answers = dict(zip(names, WRITE.call(client, calls), strict=True))
    written = [known[name].transactions for name, done in answers.items() if done]
    metrics.count(metrics.HISTORY_LOADED, sum(1 for transactions in written if transactions))
    left = tuple(name for name, done in answers.items() if not done)
    return Rebuilt(len(written), sum(map(len, written)), left)


def _events(client: redis.Redis, account_ids: Sequence[str]) -> dict[str, list[str]]:
    """The ids of the single events that Redis has of each account, in order."""
    with client.pipeline(transaction=False) as pipeline:
        for name in account_ids:
            pipeline.zrange(history_keys(name, "").events, 0, -1)
        found = pipeline.execute()
    return {name: [each.decode() for each in ids] for name, ids in zip(account_ids, found, strict=True)}


def _condition(events: Sequence[str]) -> str:
    return sha1(" ".join(events).encode(), usedforsecurity=False).hexdigest()
