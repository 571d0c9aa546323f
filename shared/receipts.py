"""Receipts in Redis: the content hash of each accepted transaction, best effort."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.best_effort import BestEffort
from shared.redis_keys import receipt_key
from shared.telemetry.metrics import NO_RECEIPT, count


class RedisReceipts:
    """Content hashes by transaction id, kept for `ttl`. Implements ports.Receipts.

    Where Redis fails there are none; each one not read or not written is counted as NO_RECEIPT.
    """

    def __init__(self, client: Redis, ttl: timedelta) -> None:
        self._client = client
        self._seconds = int(ttl.total_seconds())
        self._redis = BestEffort("Redis (receipts)")

    async def find(self, transaction_ids: Sequence[str]) -> list[bytes | None]:
        """The content hash of each id, or None; one round trip."""
        if not transaction_ids:
            return []
        commands = [("GET", receipt_key(transaction_id)) for transaction_id in transaction_ids]
        answers = await self._redis.call(lambda: self._run(commands))
        if answers is None:
            count(NO_RECEIPT, len(transaction_ids))
            return [None] * len(transaction_ids)
        return answers

    async def remember(self, receipts: Sequence[tuple[str, bytes]]) -> None:
        """Keep (id, content hash); an id that has one already keeps it; one round trip."""
        if not receipts:
            return
        commands = [("SET", receipt_key(id_), hash_, "NX", "EX", self._seconds) for id_, hash_ in receipts]
        if await self._redis.call(lambda: self._run(commands)) is None:
            count(NO_RECEIPT, len(receipts))

    async def _run(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        answers = await pipeline.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, RedisError):
                raise answer
        return answers
