"""An asynchronous Redis client for best-effort calls on the hot path: gives up early, packs commands in C."""

from collections.abc import Iterable
from typing import Any

import hiredis
from redis.asyncio import Connection, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from shared.best_effort import TIMEOUT
from shared.redis_login import login


class _PackingConnection(Connection):
    """redis-py packs in Python on asynchronous connections, 8 µs a command; hiredis takes a tenth of that."""

    def pack_commands(self, commands: Iterable[Iterable[Any]]) -> list[bytes]:
        """All commands as one piece of the Redis protocol."""
        return [b"".join(hiredis.pack_command(tuple(command)) for command in commands)]


def redis_client(url: str) -> Redis:
    """A lazy client that never repeats a call; how long a call may take is up to BestEffort.

    There is no socket timeout: redis-py would start one timer per reply of a pipeline.
    """
    return Redis.from_url(
        **login(url),
        connection_class=_PackingConnection,
        socket_timeout=None,
        socket_connect_timeout=TIMEOUT.total_seconds(),
        retry=Retry(NoBackoff(), 0),
    )
