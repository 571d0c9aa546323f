"""The account history in Redis: one round trip per batch, one script call per transaction."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from hashlib import sha1
from math import isnan
from pathlib import Path
from struct import Struct
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.domain.errors import HistoryUnavailable
from shared.domain.history import WINDOWS, AmountTotals, History, counted_amount, counted_at, instant, log_amount
from shared.domain.transaction import Place, Transaction
from shared.redis_keys import REFUSALS, account_key
from shared.telemetry import metrics

KEPT_UNTOUCHED = timedelta(days=40)
"""An account that is not seen for this long is forgotten: longer than anything its history still tells."""

_CONSTANTS = asdict(WINDOWS) | {"kept_seconds": KEPT_UNTOUCHED // timedelta(seconds=1)}
_HEADER = f"local {', '.join(_CONSTANTS).upper()} = {', '.join(map(str, _CONSTANTS.values()))}\n"
SCRIPT = _HEADER + Path(__file__).with_name("observe.lua").read_text()
_DIGEST = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
_ANSWER = Struct("<19d")

_SCRIPT_FAILED = "user_script"
"""Redis' name for a script, in every error that comes out of a running one."""

_REFUSED = re.compile(
    r"\b(READONLY|LOADING|OOM|MISCONF|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|BUSY|MOVED|ASK|NOPERM"
    r"|ACL failure|user executing the script)\b"
)
"""What a running script says where Redis refused one of its commands; the last two are a missing permission."""


def connect(url: str) -> redis.Redis:
    """A client that says within some seconds that Redis is away; it connects with the first call."""
    retry = Retry(NoBackoff(), retries=1)
    return redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2, retry=retry)


class RedisHistory:
    """ports.HistoryStore. Exact as `AccountHistories`, atomic per account, idempotent by transaction id.

    Raises HistoryUnavailable where Redis does not answer or refuses to run the script, for whatever reason: no
    transaction is to blame for that. Where the script ran and failed, redis.ResponseError passes.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def observe(self, transactions: Sequence[Transaction]) -> list[History]:
        """Count each transaction once and answer with its past, in order."""
        with _unavailable_where_redis_is():
            replies = self._call(transactions)
            if any(isinstance(reply, redis.exceptions.NoScriptError) for reply in replies):
                self._client.script_load(SCRIPT)
                replies = self._call(transactions)
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply
        return [_history(reply) for reply in replies]

    def check(self) -> None:
        """Return where Redis answers; raises HistoryUnavailable."""
        with _unavailable_where_redis_is():
            self._client.ping()

    def _call(self, transactions: Sequence[Transaction]) -> list[Any]:
        with self._client.pipeline(transaction=False) as pipeline:
            for transaction in transactions:
                # A cluster's pipeline refuses evalsha() but takes the command.
                pipeline.execute_command("EVALSHA", _DIGEST, *_arguments(transaction))  # type: ignore[no-untyped-call]
            return pipeline.execute(raise_on_error=False)


@contextmanager
def _unavailable_where_redis_is() -> Iterator[None]:
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise HistoryUnavailable(f"Redis did not answer: {error}") from error
    except redis.ResponseError as error:
        reply = f"{error.status_code or ''} {error}"
        if _SCRIPT_FAILED in reply and not _REFUSED.search(reply):
            raise
        raise HistoryUnavailable(f"Redis refuses; mend its state or the login's permissions: {reply}") from error


def _arguments(transaction: Transaction) -> tuple[str | int, ...]:
    """Number of keys, keys and arguments as observe.lua lists them."""
    account, currency = account_key(transaction.account_id, ""), transaction.currency
    amount, place = counted_amount(transaction), transaction.place
    return (
        7,
        account + "events",
        account + "places",
        account + "merchants",
        account + REFUSALS,
        f"{account}amounts:{currency}",
        f"{account}so_far:{currency}",
        f"{account}days:{currency}",
        transaction.transaction_id,
        counted_at(transaction),
        amount,
        log_amount(amount),
        f"{place.lat!r} {place.lon!r}" if place else "",
        transaction.merchant_id,
    )


def _history(reply: bytes) -> History:
    late, *numbers, last_at, lat, lon, knows_merchant, merchants, refusals = _ANSWER.unpack(reply)
    if late:
        metrics.count(metrics.LATE)
    count_5min, count_1h, count_24h, amount_24h, *totals = map(int, numbers)
    return History(
        count_5min=count_5min,
        count_1h=count_1h,
        count_24h=count_24h,
        amount_24h=amount_24h,
        week=AmountTotals(*totals[:4]),
        month=AmountTotals(*totals[4:]),
        last_at=instant(int(last_at)) if last_at >= 0 else None,
        last_place=Place(lat, lon) if not isnan(lat) else None,
        knows_merchant=knows_merchant == 1,
        merchants=int(merchants),
        recent_refusals=int(refusals),
    )
