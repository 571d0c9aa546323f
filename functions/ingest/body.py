"""Reading a request: its content type, its body up to a limit, its trace."""

import os
import re

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from functions.ingest.problems import Refused, too_large, wrong_media_type
from shared.messages.envelope import is_traceparent

_JSON_TYPE = re.compile(
    rb"application/(?:[a-z0-9!#$&^_.-]+\+)?json\s*(?:;\s*[\w-]+=(?:[\w-]+|\"[^\"]*\")\s*)*", re.IGNORECASE
)


async def read_json_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The body of a JSON request, never reading far beyond `limit` bytes; raises Refused (413, 415)."""
    headers = dict(scope["headers"])
    _expect_json(headers)
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > limit:
        raise Refused(too_large(limit))
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit:
            raise Refused(too_large(limit))
    return body


def _expect_json(headers: dict[bytes, bytes]) -> None:
    content_type = headers.get(b"content-type", b"")
    if content_type != b"application/json" and not _JSON_TYPE.fullmatch(content_type):
        raise Refused(wrong_media_type())
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Refused(wrong_media_type())


def traceparent(scope: Scope) -> str:
    """The caller's trace context where it sent a valid one, else a new one (W3C, sampled)."""
    for name, value in scope["headers"]:
        if name == b"traceparent" and is_traceparent(text := str(value, "latin-1")):
            return text
    random = os.urandom(24).hex()
    return f"00-{random[:32]}-{random[32:]}-01"
