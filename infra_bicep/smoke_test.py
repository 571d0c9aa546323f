"""Posts one certain fraud to a running FraudSense and follows it: row, score, alert, WebSocket frame.

usage: smoke_test.py --ingest URL --alerts URL [--through HOST:PORT] [--seconds 180]
"""

import argparse
import asyncio
import json
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

BETWEEN_ATTEMPTS = 0.25  # seconds


class Failed(Exception):
    """A step did not happen; the message says which, and what was seen instead."""


@dataclass(frozen=True, slots=True)
class Door:
    """A URL without a path, and where to connect for it if not to its own host: a forwarded port, say."""

    url: str
    through: str | None

    def http(self) -> httpx.AsyncClient:
        """A client whose paths begin here."""
        parts = urlsplit(self.url)
        base = self.url if self.through is None else f"{parts.scheme}://{self.through}"
        return httpx.AsyncClient(base_url=base, headers={"Host": parts.netloc}, timeout=60)

    def stream(self) -> connect:
        """The WebSocket of alerts, not yet connected."""
        url = f"ws{self.url.removeprefix('http')}/alerts/stream"
        if self.through is None:
            return connect(url, open_timeout=60)
        host, _, port = self.through.rpartition(":")
        return connect(url, open_timeout=60, host=host, port=int(port))


async def smoke_test(ingest: Door, alerts: Door, tell: Callable[[str], None]) -> None:
    """Every step once, told as it happens. Raises Failed; the caller bounds the time."""
    async with ingest.http() as http, stream(alerts) as frames:
        tell("the stream is open")
        posted = a_certain_fraud()
        await post(http, posted)
        tell(f"{posted['transaction_id']} is queued")
        recorded = await scored(http, posted["transaction_id"])
        tell(
            f"it is scored {recorded['risk_label']}, risk {recorded['score']:.3f}, by {recorded['model_version']}"
        )
        await alert_frame(frames, recorded["alert_id"])
        tell("its alert came over the stream")
    async with alerts.http() as http:
        await close(http, recorded["alert_id"])
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
async def stream(alerts: Door) -> AsyncIterator[ClientConnection]:
    """The alert stream after its `ready` frame. Raises Failed."""
    try:
        async with alerts.stream() as frames:
            first = json.loads(await frames.recv())
            if first["type"] != "ready":
                raise Failed(f"The first frame of {alerts.url}'s stream is {first['type']}, not ready.")
            yield frames
    except (OSError, WebSocketException) as error:
        raise Failed(f"The stream of {alerts.url} broke or did not open: {error}") from error


async def post(http: httpx.AsyncClient, transaction: dict[str, Any]) -> None:
    """Raises Failed unless it is queued; after a 5xx it is sent again, which is harmless."""
    answer = await until(lambda: http.post("/transactions", json=transaction), lambda got: got < 500)
    if answer.status_code != 202:
        raise Failed(f"POST /transactions answered {answer.status_code}, not 202: {answer.text[:300]}")


async def scored(http: httpx.AsyncClient, transaction_id: str) -> dict[str, Any]:
    """The transaction once it is HIGH and has an alert. Raises Failed where it got another decision."""
    while True:
        answer = await until(lambda: http.get(f"/transactions/{transaction_id}"), lambda got: got == 200)
        found: dict[str, Any] = answer.json()
        if found["status"] == "scored" and found["risk_label"] == "HIGH" and found["alert_id"]:
            return found
        if found["status"] != "queued":
            decision = f"{found['status']} {found['risk_label']}, alert {found['alert_id']}"
            raise Failed(f"{transaction_id} is {decision}: it should be HIGH with an alert.")
        await asyncio.sleep(BETWEEN_ATTEMPTS)


async def alert_frame(frames: ClientConnection, alert_id: str) -> None:
    """Wait for the frame of this alert."""
    async for text in frames:
        frame = json.loads(text)
        if frame["type"] == "alert" and frame["alert"]["alert_id"] == alert_id:
            return


async def close(http: httpx.AsyncClient, alert_id: str) -> None:
    """Leave no work for analysts, and no label. Raises Failed."""
    words = {"by": "smoke test", "disposition": "inconclusive"}
    for answer in (
        await http.get(f"/alerts/{alert_id}"),
        await http.post(f"/alerts/{alert_id}/acknowledge", json={"by": words["by"]}),
        await http.post(f"/alerts/{alert_id}/close", json=words),
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
    parser.add_argument("--through", metavar="HOST:PORT", help="connect there instead of to the URLs' hosts")
    parser.add_argument("--seconds", type=float, default=180, help="for all steps (default 180)")
    args = parser.parse_args(arguments)
    begun, last = time.monotonic(), "nothing"

    def tell(step: str) -> None:
        nonlocal last
        last = step
        print(f"{time.monotonic() - begun:7.2f} s  {step}", flush=True)

    try:
        async with asyncio.timeout(args.seconds):
            ingest, alerts = (Door(url.rstrip("/"), args.through) for url in (args.ingest, args.alerts))
            await smoke_test(ingest, alerts, tell)
    except TimeoutError:
        print(f"smoke_test: not done within {args.seconds:g} s. Last seen: {last}.", file=sys.stderr)
        return 1
    except Failed as error:
        print(f"smoke_test: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
