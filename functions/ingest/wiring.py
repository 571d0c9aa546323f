"""Ingest's wiring: settings to real adapters, made at the first request and once per event loop."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar
from weakref import WeakKeyDictionary

from functions.ingest.parts import Parts, assemble
from shared.broker.selection import publisher_for
from shared.database.engine import async_engine
from shared.database.transactions import TransactionRecords
from shared.rate_limit import RedisRateLimit
from shared.receipts import RedisReceipts
from shared.redis_client import redis_client
from shared.settings import Settings
from shared.telemetry.metrics import configure_metrics

T = TypeVar("T")


def wire(settings: Settings) -> Parts:
    """Ingest as the settings say; nothing connects before it is needed."""
    configure_metrics("ingest")
    redis = redis_client(settings.redis_url)
    return assemble(
        rate_limit=RedisRateLimit(redis, settings.rate_limit_per_minute),
        receipts=RedisReceipts(redis, timedelta(hours=settings.receipt_hours)),
        publisher=publisher_for(settings),
        transactions=TransactionRecords(async_engine(settings.postgres_url)),
        publish_queue_size=settings.publish_queue_size,
        queue_full_at=settings.queue_full_at,
    )


def once_per_loop(make: Callable[[], T]) -> Callable[[], T]:
    """`make()` at the first call on each event loop; connections and futures belong to the loop they began on."""
    made: WeakKeyDictionary[asyncio.AbstractEventLoop, T] = WeakKeyDictionary()

    def get() -> T:
        loop = asyncio.get_running_loop()
        if (parts := made.get(loop)) is None:
            parts = made[loop] = make()
        return parts

    return get
