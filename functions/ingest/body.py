"""Reading a request: its content type, its body up to a limit, its trace; and how much all bodies may take."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import Message, Receive, Scope

from functions.ingest.problems import queue_full
from shared.http_body import read_body
from shared.messages.envelope import is_traceparent
from shared.problems import Refused, wrong_media_type

_JSON_TYPE = re.compile(
    rb"application/(?:[a-z0-9!#$&^_.-]+\+)?json\s*(?:;\s*[\w-]+=(?:[\w-]+|\"[^\"]*\")\s*)*", re.IGNORECASE
)


async def read_json_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The body of a JSON request, never reading far beyond `limit` bytes; raises Refused (413, 415)."""
    _expect_json(dict(scope["headers"]))
    return await read_body(scope, receive, limit)


def _expect_json(headers: dict[bytes, bytes]) -> None:
    content_type = headers.get(b"content-type", b"")
    if content_type != b"application/json" and not _JSON_TYPE.fullmatch(content_type):
        raise Refused(wrong_media_type())
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Refused(wrong_media_type())


class Bodies:
    """Counts the bytes of all bodies that are read or parsed at this moment, at most `capacity`."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held = 0

    @contextmanager
    def holding(self, receive: Receive) -> Iterator[Receive]:
        """`receive`, its bytes counted until the block ends; it raises Refused (503) where all are too many."""
        held = 0

        async def counted() -> Message:
            nonlocal held
            message = await receive()
            size = len(message.get("body", b""))
            held += size
            self._held += size
            if self._held > self._capacity:
                raise Refused(queue_full())
            return message

        try:
            yield counted
        finally:
            self._held -= held


def traceparent(scope: Scope) -> str:
    """The caller's trace context where it sent a valid one, else a new one (W3C, sampled)."""
    for name, value in scope["headers"]:
        if name == b"traceparent" and is_traceparent(text := str(value, "latin-1")):
            return text
    random = os.urandom(24).hex()
    return f"00-{random[:32]}-{random[32:]}-01"
