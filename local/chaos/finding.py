"""Reading what the services hold: rows, histories, and what is left in the queue."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from struct import unpack
from typing import Any

import psycopg
import redis
from aio_pika import connect
from psycopg.rows import class_row

from local.chaos.books import Days, Found, Rejected, StoredAlert
from shared.redis_keys import account_key

CONNECT_SECONDS = 5
WRITTEN_WITHIN = timedelta(seconds=5)
"""Redis writes at the latest so long after it answered: it holds writes back while the disk is slow."""
_DAYS = "days:"

_ROWS = 'SELECT transaction_id, count(*) FROM "{}" GROUP BY 1'
_HIGH = "SELECT transaction_id FROM scores WHERE risk_label = 'HIGH'"
_REJECTED = "SELECT reason, transaction_id, body FROM rejected_messages ORDER BY id"
_ALERTS = "SELECT id::text AS alert_id, seq, transaction_id, announced_at FROM alerts ORDER BY seq"
_BY_DAY = """
SELECT account_id, currency, floor(extract(epoch FROM timestamp) / 86400)::bigint, count(*)
FROM transactions GROUP BY 1, 2, 3
"""
_AT_RISK = """
SELECT account_id, currency, floor(extract(epoch FROM timestamp) / 86400)::bigint, count(*)
FROM transactions
WHERE EXISTS (
    SELECT FROM unnest(%s::timestamptz[]) AS killed
    WHERE received_at <= killed AND created_at >= killed - %s::interval
)
GROUP BY 1, 2, 3
"""
_KNOWN = """
SELECT transaction_id FROM transaction_ids
UNION ALL SELECT transaction_id FROM rejected_messages WHERE transaction_id IS NOT NULL
"""
_ALERTS_SO_FAR = "SELECT count(*) FILTER (WHERE announced_at IS NULL), coalesce(max(seq), 0) FROM alerts"


@dataclass(frozen=True, slots=True)
class Progress:
    """Ids recorded or quarantined so far, the number of alerts not announced, and the newest alert's seq."""

    known: frozenset[str]
    unannounced: int
    newest_seq: int


def progress(database_url: str) -> Progress:
    """Raises psycopg.Error where the database does not answer."""
    with psycopg.connect(database_url, connect_timeout=CONNECT_SECONDS) as connection:
        known = frozenset(name for (name,) in connection.execute(_KNOWN))
        [(unannounced, newest_seq)] = connection.execute(_ALERTS_SO_FAR)
        return Progress(known, unannounced, newest_seq)


def found(
    urls: Mapping[str, str],
    *,
    dead_letters: int,
    left_in_queue: Sequence[bytes],
    unready: Sequence[str],
    redis_killed: Sequence[datetime] = (),
    rebuilt: Sequence[str] = (),
) -> Found:
    """What database and Redis hold, beside what the caller knows already."""
    with psycopg.connect(urls["database"], connect_timeout=CONNECT_SECONDS) as connection:
        rejected = connection.cursor(row_factory=class_row(Rejected)).execute(_REJECTED).fetchall()
        alerts = connection.cursor(row_factory=class_row(StoredAlert)).execute(_ALERTS).fetchall()
        recorded, counted = _histories(connection, urls["redis"])
        return Found(
            recorded=dict(connection.execute(_ROWS.format("transactions")).fetchall()),
            scored=dict(connection.execute(_ROWS.format("scores")).fetchall()),
            high=frozenset(name for (name,) in connection.execute(_HIGH)),
            rejected=rejected,
            alerts=alerts,
            dead_letters=dead_letters,
            left_in_queue=left_in_queue,
            recorded_history=recorded,
            history=counted,
            unready=unready,
            at_risk=_by_day(connection.execute(_AT_RISK, [[*redis_killed], WRITTEN_WITHIN])),
            rebuilt=rebuilt,
        )


async def take_all(rabbitmq_url: str, queue_name: str) -> list[bytes]:
    """Remove every message from the queue; their bodies."""
    bodies: list[bytes] = []
    async with await connect(rabbitmq_url, timeout=CONNECT_SECONDS) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(queue_name, passive=True)
        while message := await queue.get(fail=False, timeout=CONNECT_SECONDS):
            bodies.append(message.body)
            await message.ack()
    return bodies


def _histories(
    connection: psycopg.Connection[Any], redis_url: str
) -> tuple[Mapping[str, Days], Mapping[str, Days]]:
    """As recorded and as counted, by account and currency; by its key in Redis what is not recorded."""
    recorded = _by_day(connection.execute(_BY_DAY))
    pairs = (name.split() for name in recorded)
    names = {account_key(account, f"{_DAYS}{currency}"): f"{account} {currency}" for account, currency in pairs}
    return recorded, {names.get(key, key): days for key, days in _counted(redis_url).items()}


def _by_day(rows: Iterable[tuple[str, str, int, int]]) -> dict[str, dict[int, int]]:
    """By "account currency"."""
    by_day: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for account, currency, day, number in rows:
        by_day[f"{account} {currency}"][day] = number
    return by_day


def _counted(redis_url: str) -> Mapping[str, Days]:
    """By Redis key."""
    with redis.Redis.from_url(redis_url, socket_timeout=CONNECT_SECONDS) as client:
        keys = [*client.scan_iter(match=f"*:{_DAYS}*", count=1000)]
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.hgetall(key)
        return {key.decode(): _counts(days) for key, days in zip(keys, pipeline.execute(), strict=True)}


def _counts(days: Mapping[bytes, bytes]) -> Days:
    """Each day's totals begin with its number of transactions."""
    return {int(day): int(unpack("<d", totals[:8])[0]) for day, totals in days.items()}
