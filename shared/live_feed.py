"""The live feed: recorded alerts go out on Redis pub/sub; at least once, to whoever listens now."""

from collections.abc import AsyncGenerator, Sequence

import redis
import redis.asyncio
from redis.exceptions import RedisError

from shared.domain.alert import Alert
from shared.domain.errors import FeedUnavailable
from shared.messages.alert_out import alert_out
from shared.redis_keys import ALERT_CHANNEL

POLL_SECONDS = 5.0


class RedisAnnouncer:
    """Publishes alerts on the channel `alerts`, all in one round trip; implements ports.AlertAnnouncer."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def announce(self, alerts: Sequence[Alert]) -> None:
        """Publish each alert as AlertOut JSON, in order; raises FeedUnavailable."""
        if not alerts:
            return
        pipeline = self._client.pipeline(transaction=False)
        for alert in alerts:
            pipeline.publish(ALERT_CHANNEL, alert_out(alert).model_dump_json())
        try:
            pipeline.execute()
        except RedisError as error:
            raise FeedUnavailable from error


async def subscribe(client: redis.asyncio.Redis) -> AsyncGenerator[bytes | None]:
    """Announced alerts (AlertOut JSON) as they come.

    Yields None each time the subscription starts, also again after a lost connection: what was announced before
    may have been missed. Raises FeedUnavailable where Redis cannot be reached; call again later.
    """
    try:
        async with client.pubsub() as pubsub:
            await pubsub.subscribe(ALERT_CHANNEL)
            while True:
                message = await pubsub.get_message(timeout=POLL_SECONDS)
                if message is not None and message["type"] == "subscribe":
                    yield None
                elif message is not None and message["type"] == "message":
                    yield message["data"]
    except (RedisError, OSError) as error:
        raise FeedUnavailable("Redis closed the live feed; subscribe again.") from error
