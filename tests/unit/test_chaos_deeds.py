"""Deeds that a campaign may do more than once."""

import asyncio
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from local.chaos.deeds import Scene, do
from local.chaos.ledger import Ledger
from local.chaos.schedule import Fault, Kind


class EmptiedRedis(redis.asyncio.Redis):
    """Counts how often it was emptied; refuses the first time it is asked."""

    asked = 0
    emptied = 0

    async def flushall(self, *_: Any, **__: Any) -> bool:
        """As the client does."""
        self.asked += 1
        if self.asked == 1:
            raise RedisError
        self.emptied += 1
        return True


def test_redis_is_emptied_as_often_as_the_schedule_says() -> None:
    async def play() -> tuple[int, bool]:
        client, untouched, ledger = EmptiedRedis(), _nothing(), Ledger()
        scene = Scene(untouched, untouched, untouched, ledger, untouched, client)
        for _ in range(2):
            await do(Fault(0.0, Kind.FLUSH_REDIS), scene)
        return client.emptied, ledger.flushed

    assert asyncio.run(play()) == (2, True)


def _nothing() -> Any:
    """For what the deed does not touch."""
    return None
