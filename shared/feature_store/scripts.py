"""Scripts in Redis: many calls in one round trip, and whose fault it is where one fails."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from hashlib import sha1
from pathlib import Path
from typing import Any

import redis

from shared.domain.errors import HistoryUnavailable
from shared.domain.history import WINDOWS
from shared.redis_keys import REFUSAL_BUCKET_SECONDS, REFUSAL_BUCKETS

Words = Sequence[str | int | bytes]

KEPT_UNTOUCHED = timedelta(days=40)
"""An account that is not seen for this long leaves Redis: longer than anything its days still tell."""

KEPT_SECONDS = KEPT_UNTOUCHED // timedelta(seconds=1)

LAYOUT = 2
"""Says what an account's keys hold; the value of its marker. 1 had neither categories nor hours.

A newer layout only adds keys, so that scorers of the version before go on with it while a deployment rolls out.
"""

_CONSTANTS = asdict(WINDOWS) | {
    "kept_seconds": KEPT_SECONDS,
    "layout": LAYOUT,
    "refusal_bucket_seconds": REFUSAL_BUCKET_SECONDS,
    "refusal_buckets": REFUSAL_BUCKETS,
}
_HEADER = f"local {', '.join(_CONSTANTS).upper()} = {', '.join(map(str, _CONSTANTS.values()))}\n"

_SCRIPT_FAILED = "user_script"
"""Redis' name for a script, in every error that comes out of a running one."""

_REFUSED = re.compile(
    r"\b(READONLY|LOADING|OOM|MISCONF|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|BUSY|MOVED|ASK|NOPERM"
    r"|ACL failure|user executing the script)\b"
)
"""What a running script says where Redis refused one of its commands; the last two are a missing permission."""


class Script:
    """A Lua script of this folder, behind a header that declares the windows' constants in capitals."""

    def __init__(self, file: str) -> None:
        self.text = _HEADER + Path(__file__).with_name(file).read_text()
        self._digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    def call(self, client: redis.Redis, calls: Sequence[Words]) -> list[Any]:
        """The answer to each call (number of keys, keys, arguments), in order; usually one round trip.

        Must be harmless to repeat. Raises the first error among the answers.
        """
        replies = self._send(client, calls)
        if any(isinstance(reply, redis.exceptions.NoScriptError) for reply in replies):
            client.script_load(self.text)
            replies = self._send(client, calls)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    def _send(self, client: redis.Redis, calls: Iterable[Words]) -> list[Any]:
        with client.pipeline(transaction=False) as pipeline:
            for words in calls:
                # A cluster's pipeline refuses evalsha() but takes the command.
                pipeline.execute_command("EVALSHA", self._digest, *words)  # type: ignore[no-untyped-call]
            return pipeline.execute(raise_on_error=False)


@contextmanager
def unavailable_where_redis_is() -> Iterator[None]:
    """Raises HistoryUnavailable for what is Redis' matter; what a script did wrong passes as it is."""
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise HistoryUnavailable(f"Redis did not answer: {error}") from error
    except redis.ResponseError as error:
        reply = f"{error.status_code or ''} {error}"
        if _SCRIPT_FAILED in reply and not _REFUSED.search(reply):
            raise
        raise HistoryUnavailable(f"Redis refuses; mend its state or the login's permissions: {reply}") from error
