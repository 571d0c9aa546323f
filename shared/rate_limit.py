"""The rate limit in Redis: an exact sliding window per account, best effort."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from shared.best_effort import BestEffort
from shared.ports import Admission
from shared.redis_keys import REFUSAL_BUCKET_SECONDS, REFUSAL_BUCKETS, REFUSALS, account_key
from shared.telemetry.metrics import UNLIMITED, count

MINUTE = timedelta(minutes=1)

# KEYS: the times of the newest admissions (µs, newest first), the counts of refusals by bucket.
# ARGV: limit, window in µs, places asked for, seconds of a bucket of refusals, buckets that count.
# Answer: places given, µs until the next one.
# The limit-th newest admission decides: while it lies inside the window (t - width, t], the window is full.
_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local limit, width, asked = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local given, wait = 0, 0
while given < asked do
  local decisive = redis.call('LINDEX', KEYS[1], limit - 1)
  if decisive and decisive + width > now then
    wait = decisive + width - now
    break
  end
  redis.call('LPUSH', KEYS[1], string.format('%.0f', now))
  redis.call('LTRIM', KEYS[1], 0, limit - 1)
  given = given + 1
end
if given > 0 then
  redis.call('PEXPIRE', KEYS[1], math.ceil(width / 1000))
end
if given < asked then
  local bucket, buckets = math.floor(time[1] / ARGV[4]), tonumber(ARGV[5])
  redis.call('HINCRBY', KEYS[2], bucket, asked - given)
  redis.call('EXPIRE', KEYS[2], ARGV[4] * buckets)
  if redis.call('HLEN', KEYS[2]) > buckets then
    for _, each in ipairs(redis.call('HKEYS', KEYS[2])) do
      if tonumber(each) <= bucket - buckets then redis.call('HDEL', KEYS[2], each) end
    end
  end
end
return {given, wait}
"""
_SHA = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()
_ADMITTED = Admission(admitted=True)


class RedisRateLimit:
    """At most `per_minute` transactions per account in any window; 0 turns it off. Implements ports.RateLimit.

    Where Redis fails, all are admitted and counted as UNLIMITED.
    """

    def __init__(self, client: Redis, per_minute: int, *, window: timedelta = MINUTE) -> None:
        self._client = client
        self._limit = per_minute
        self._window_us = window // timedelta(microseconds=1)
        self._redis = BestEffort("Redis (rate limit)")

    async def admit(self, account_ids: Sequence[str]) -> list[Admission]:
        """Take one place for each account id in order; one round trip, one script call per distinct account."""
        if not self._limit or not account_ids:
            return [_ADMITTED] * len(account_ids)
        answers = await self._redis.call(lambda: self._take_places(Counter(account_ids)))
        if answers is None:
            count(UNLIMITED, len(account_ids))
            return [_ADMITTED] * len(account_ids)
        places = {account_id: _admissions(*answer) for account_id, answer in answers.items()}
        return [next(places[account_id]) for account_id in account_ids]

    async def give_back(self, account_ids: Sequence[str]) -> None:
        """Free the newest place of each account id again; one round trip."""
        if self._limit and account_ids:
            await self._redis.call(lambda: self._free_places(Counter(account_ids)))

    async def _free_places(self, places: Mapping[str, int]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for account_id, number in places.items():
            pipeline.ltrim(account_key(account_id, "admitted"), number, -1)
        await pipeline.execute()

    async def _take_places(self, asked: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """Account id -> (places given, µs until the next place)."""
        answers = await self._run(asked)
        unknown = {account: asked[account] for account, a in answers.items() if isinstance(a, NoScriptError)}
        if unknown:
            await self._client.script_load(_SCRIPT)
            answers |= await self._run(unknown)
        return {account: _expect_answer(answer) for account, answer in answers.items()}

    async def _run(self, asked: Mapping[str, int]) -> dict[str, Any]:
        pipeline = self._client.pipeline(transaction=False)
        for account_id, places in asked.items():
            keys = account_key(account_id, "admitted"), account_key(account_id, REFUSALS)
            numbers = self._limit, self._window_us, places, REFUSAL_BUCKET_SECONDS, REFUSAL_BUCKETS
            pipeline.execute_command("EVALSHA", _SHA, 2, *keys, *numbers)
        return dict(zip(asked, await pipeline.execute(raise_on_error=False), strict=True))


def _expect_answer(answer: Any) -> tuple[int, int]:
    if isinstance(answer, RedisError):
        raise answer
    given, wait_us = answer
    return given, wait_us


def _admissions(given: int, wait_us: int) -> Iterator[Admission]:
    for _ in range(given):
        yield _ADMITTED
    refused = Admission(admitted=False, retry_after=timedelta(microseconds=wait_us))
    while True:
        yield refused
