"""Limits on the bodies of requests: no step of an analyst needs more, labels come in bulk."""

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http_body import read_body
from shared.problem_answers import answer
from shared.problems import Refused

MAX_BODY_BYTES = 64 * 1024
MAX_LABELS_BYTES = 1024 * 1024
LARGER = {"/labels": MAX_LABELS_BYTES}


class LimitedBodies:
    """ASGI middleware: bodies beyond what LARGER allows a path, else MAX_BODY_BYTES, are answered with 413.

    Others are handed on whole.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope.get("method") != "POST":
            await self._app(scope, receive, send)
            return
        try:
            body = await read_body(scope, receive, LARGER.get(scope["path"], MAX_BODY_BYTES))
        except Refused as refused:
            await answer(refused.problem)(scope, receive, send)
        except ClientDisconnect:
            return
        else:
            await self._app(scope, _replaying(body, receive), send)


def _replaying(body: bytes, receive: Receive) -> Receive:
    """The body that was read, then whatever else comes."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
