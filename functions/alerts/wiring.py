"""alerts' wiring: settings to real adapters; nothing connects before it is used."""

from functools import partial

import redis
import redis.asyncio

from functions.alerts.hub import Hub
from functions.alerts.parts import Parts
from shared.database.alerts import AlertRecords
from shared.database.engine import async_engine
from shared.database.labels import LabelRecords
from shared.live_feed import RedisAnnouncer, subscribe
from shared.redis_login import login
from shared.settings import Settings

TIMEOUT_SECONDS = 3.0
HEALTH_CHECK_SECONDS = 10


def wire(settings: Settings) -> Parts:
    """alerts as the settings say."""
    engine = async_engine(settings.postgres_url)
    listener = redis.asyncio.Redis.from_url(
        **login(settings.redis_url),
        socket_connect_timeout=TIMEOUT_SECONDS,
        socket_keepalive=True,
        health_check_interval=HEALTH_CHECK_SECONDS,
    )
    publisher = redis.Redis.from_url(
        **login(settings.redis_url), socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
    )
    alerts = AlertRecords(engine)

    async def close() -> None:
        await engine.dispose()
        await listener.aclose()
        publisher.close()

    return Parts(
        alerts=alerts,
        hub=Hub(alerts),
        feed=partial(subscribe, listener),
        announcer=RedisAnnouncer(publisher),
        labels=LabelRecords(engine),
        close=close,
    )
