"""The account history in Redis: one round trip per batch, one script call per transaction."""

from collections.abc import Sequence
from datetime import timedelta
from math import isnan
from struct import Struct
from time import monotonic
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.domain.errors import HistoryUnavailable
from shared.domain.history import (
    AmountTotals,
    History,
    HourTotals,
    clock_hand,
    counted_amount,
    counted_at,
    instant,
    log_amount,
)
from shared.domain.transaction import Place, Transaction
from shared.feature_store.keys import history_keys
from shared.feature_store.rebuild import Lack, load
from shared.feature_store.scripts import Script, Words, unavailable_where_redis_is
from shared.feature_store.writing import place_text
from shared.ports import AccountPasts
from shared.redis_keys import WRITABLE
from shared.redis_login import login
from shared.telemetry import metrics

OBSERVE = Script("observe.lua")
LONGEST_LOAD = timedelta(seconds=7)
"""An observation reads accounts from the books for so long at most; then it raises, and keeps what was read."""
_ANSWER = Struct("<24d")


def connect(url: str) -> redis.Redis:
    """A client that says within some seconds that Redis is away; it connects with the first call."""
    retry = Retry(NoBackoff(), retries=1)
    return redis.Redis.from_url(**login(url), socket_timeout=2, socket_connect_timeout=2, retry=retry)


class RedisHistory:
    """ports.HistoryStore. Exact as `AccountHistories`, atomic per account, idempotent by transaction id.

    An account that Redis does not know is loaded from its past in the books before it is observed. Raises
    HistoryUnavailable where Redis does not answer or refuses to run the script, for whatever reason, and
    DatabaseUnavailable where the books do not answer: no transaction is to blame for that. Where the script ran
    and failed, redis.ResponseError passes.
    """

    def __init__(self, client: redis.Redis, pasts: AccountPasts) -> None:
        self._client = client
        self._pasts = pasts

    def observe(self, transactions: Sequence[Transaction]) -> list[History]:
        """Count each transaction once and answer with its past, in order."""
        with unavailable_where_redis_is():
            replies = self._ask(transactions)
            if unknown := [n for n, reply in enumerate(replies) if isinstance(reply, int)]:
                accounts = {transactions[n].account_id: Lack(replies[n]) for n in unknown}
                load(self._client, self._pasts, accounts, until=monotonic() + LONGEST_LOAD.total_seconds())
                loaded = self._ask([transactions[n] for n in unknown])
                for n, reply in zip(unknown, loaded, strict=True):
                    replies[n] = reply
        return [_history(reply) for reply in replies]

    def check(self) -> None:
        """Return where Redis takes writes; raises HistoryUnavailable."""
        with unavailable_where_redis_is():
            self._client.set(WRITABLE, 1, ex=60)

    def _ask(self, transactions: Sequence[Transaction]) -> list[Any]:
        return OBSERVE.call(self._client, [_arguments(each) for each in transactions])


def _arguments(transaction: Transaction) -> Words:
    """Number of keys, keys and arguments as observe.lua lists them."""
    keys = history_keys(transaction.account_id, transaction.currency)
    amount = counted_amount(transaction)
    return (
        len(keys),
        *keys,
        transaction.transaction_id,
        counted_at(transaction),
        amount,
        log_amount(amount),
        place_text(transaction.place),
        transaction.merchant_id,
        transaction.merchant_category or "",
        *clock_hand(transaction),
    )


def _history(reply: bytes | int) -> History:
    if isinstance(reply, int):
        raise HistoryUnavailable("Redis lost an account right after it was loaded; observe it again.")
    *numbers, last_at, lat, lon = _ANSWER.unpack(reply)
    late, count_5min, count_1h, count_24h, amount_24h, *totals = map(int, numbers)
    knows_merchant, merchants, knows_category, categories, *hours, refusals = totals[8:]
    if late:
        metrics.count(metrics.LATE)
    return History(
        count_5min=count_5min,
        count_1h=count_1h,
        count_24h=count_24h,
        amount_24h=amount_24h,
        week=AmountTotals(*totals[:4]),
        month=AmountTotals(*totals[4:8]),
        last_at=instant(int(last_at)) if last_at >= 0 else None,
        last_place=Place(lat, lon) if not isnan(lat) else None,
        knows_merchant=knows_merchant == 1,
        merchants=merchants,
        knows_category=knows_category == 1,
        categories=categories,
        hours=HourTotals(*hours),
        recent_refusals=refusals,
    )
