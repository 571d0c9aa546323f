"""Reading an HTTP body up to a limit."""

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from shared.problems import Refused, too_large


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The body, never reading far beyond `limit` bytes; raises Refused (413) and ClientDisconnect."""
    announced = dict(scope["headers"]).get(b"content-length", b"0")
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
