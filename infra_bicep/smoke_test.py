"""Posts one certain fraud to a running FraudSense and follows it: row, score, alert, WebSocket frame.

usage: smoke_test.py --ingest URL --alerts URL [--seconds 180]
"""

import argparse
import asyncio
import json
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

BETWEEN_ATTEMPTS = 0.25  # seconds


class Failed(Exception):
    """A step did not happen; the message says which, and what was seen instead."""


async def smoke_test(ingest: str, alerts: str, tell: Callable[[str], None]) -> None:
    """Every step once, told as it happens. Raises Failed; the caller bounds the time."""
    async with httpx.AsyncClient(timeout=60) as http, stream(alerts) as frames:
        tell("the stream is open")
        posted = a_certain_fraud()
        await post(http, ingest, posted)
        tell(f"{posted['transaction_id']} is queued")
        recorded = await scored(http, ingest, posted["transaction_id"])
        tell(
            f"it is scored {recorded['risk_label']}, risk {recorded['score']:.3f}, by {recorded['model_version']}"
        )
        await alert_frame(frames, recorded["alert_id"])
        tell("its alert came over the stream")
        await close(http, alerts, recorded["alert_id"])
        tell(f"alert {recorded['alert_id']} is closed again")


def a_certain_fraud() -> dict[str, Any]:
    """A transaction that always alerts: a large first amount of an account that nobody has seen."""
    number = uuid.uuid4().hex
    return {
        "transaction_id": f"smoke-{number}",
        "account_id": f"smoke-{number}",
        "merchant_id": "smoke-test",
        "amount": "9999.99",
        "currency": "USD",
        "timestamp": datetime.now(UTC).isoformat(),
    }


@asynccontextmanager
async def stream(alerts: str) -> AsyncIterator[ClientConnection]:
    """The alert stream after its `ready` frame. Raises Failed."""
    url = f"ws{alerts.removeprefix('http').rstrip('/')}/alerts/stream"
    try:
        async with connect(url, open_timeout=60) as frames:
            first = json.loads(await frames.recv())
            if first["type"] != "ready":
                raise Failed(f"The first frame of {url} is {first['type']}, not ready.")
            yield frames
    except (OSError, WebSocketException) as error:
        raise Failed(f"The stream {url} broke or did not open: {error}") from error


async def post(http: httpx.AsyncClient, ingest: str, transaction: dict[str, Any]) -> None:
    """Raises Failed unless it is queued; after a 5xx it is sent again, which is harmless."""
    answer = await until(lambda: http.post(f"{ingest}/transactions", json=transaction), lambda got: got < 500)
    if answer.status_code != 202:
        raise Failed(f"POST /transactions answered {answer.status_code}, not 202: {answer.text[:300]}")


async def scored(http: httpx.AsyncClient, ingest: str, transaction_id: str) -> dict[str, Any]:
    """The transaction once it has a decision with an alert. Raises Failed where it got another one."""
    while True:
        answer = await until(lambda: http.get(f"{ingest}/transactions/{transaction_id}"), lambda got: got == 200)
        found: dict[str, Any] = answer.json()
        if found["status"] == "scored" and found["alert_id"]:
            return found
        if found["status"] != "queued":
            raise Failed(f"{transaction_id} is {found['status']} {found['risk_label']}, without an alert.")
        await asyncio.sleep(BETWEEN_ATTEMPTS)


async def alert_frame(frames: ClientConnection, alert_id: str) -> None:
    """Wait for the frame of this alert."""
    async for text in frames:
        frame = json.loads(text)
        if frame["type"] == "alert" and frame["alert"]["alert_id"] == alert_id:
            return


async def close(http: httpx.AsyncClient, alerts: str, alert_id: str) -> None:
    """Leave no work for analysts, and no label. Raises Failed."""
    words = {"by": "smoke test", "disposition": "inconclusive"}
    for answer in (
        await http.get(f"{alerts}/alerts/{alert_id}"),
        await http.post(f"{alerts}/alerts/{alert_id}/acknowledge", json={"by": words["by"]}),
        await http.post(f"{alerts}/alerts/{alert_id}/close", json=words),
    ):
        if answer.status_code != 200:
            raise Failed(f"{answer.request.method} {answer.request.url} answered {answer.status_code}, not 200.")


async def until(call: Callable[[], Awaitable[httpx.Response]], enough: Callable[[int], bool]) -> httpx.Response:
    """The first answer whose status is enough; lost connections and other answers are tried again."""
    while True:
        try:
            answer = await call()
            if enough(answer.status_code):
                return answer
        except httpx.TransportError:
            pass  # what starts from zero may drop the first connections
        await asyncio.sleep(BETWEEN_ATTEMPTS)


async def main(arguments: list[str]) -> int:
    """0 where every step happened in time, else 1 with a sentence on standard error."""
    parser = argparse.ArgumentParser(description="Post one certain fraud and follow it to its alert.")
    parser.add_argument("--ingest", required=True, help="URL of ingest, without a path")
    parser.add_argument("--alerts", required=True, help="URL of alerts, without a path")
    parser.add_argument("--seconds", type=float, default=180, help="for all steps (default 180)")
    args = parser.parse_args(arguments)
    begun, last = time.monotonic(), "nothing"

    def tell(step: str) -> None:
        nonlocal last
        last = step
        print(f"{time.monotonic() - begun:7.2f} s  {step}", flush=True)

    try:
        async with asyncio.timeout(args.seconds):
            await smoke_test(args.ingest.rstrip("/"), args.alerts.rstrip("/"), tell)
    except TimeoutError:
        print(f"smoke_test: not done within {args.seconds:g} s. Last seen: {last}.", file=sys.stderr)
        return 1
    except Failed as error:
        print(f"smoke_test: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
