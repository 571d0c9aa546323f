"""A function app for tests of the host's stand-in: writes down each run and does what the message says."""

import os
import time
from pathlib import Path
from typing import List  # noqa: UP035 - see score_batch

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
BROKER = os.environ.get("FRAUDSENSE_BROKER", "rabbitmq")
NOTES = Path(os.environ["TOY_NOTES"])


def _note(text: str) -> None:
    with NOTES.open("a", encoding="utf-8") as notes:
        notes.write(f"{text}\n")


async def answer(scope, receive, send) -> None:
    """A plain ASGI app: 200 with the path; /slow takes a second."""
    _note(f"request {scope['path']}")
    if scope["path"] == "/slow":
        time.sleep(1)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


if os.environ["FRAUDSENSE_FUNCTIONS"] == "ingest":

    async def ingest(req: func.HttpRequest) -> func.HttpResponse:
        raise NotImplementedError

    ingest.asgi_app = answer  # type: ignore[attr-defined]
    app.function_name("ingest")(app.route("{*route}")(ingest))
else:

    def work(body: bytes) -> None:
        _note(f"begin {body!r}")
        if body == b"slow":
            time.sleep(1)
        if body == b"bad":
            raise ValueError("bad")
        _note(f"end {body!r}")

    def score(body: bytes) -> None:
        work(body)

    def score_batch(batch: List[func.ServiceBusMessage]) -> None:  # noqa: UP006 - as the worker wants it
        _note(f"batch of {len(batch)}")
        for message in batch:
            work(message.get_body())

    if BROKER == "servicebus":
        trigger = app.service_bus_queue_trigger(
            arg_name="batch",
            connection="FRAUDSENSE_SERVICEBUS_CONNECTION",
            queue_name="%FRAUDSENSE_QUEUE_NAME%",
            cardinality=os.environ.get("TOY_CARDINALITY", "many"),
            data_type="binary",
        )
    else:
        trigger = app.generic_trigger(
            arg_name="body",
            type="rabbitMQTrigger",
            queueName="%FRAUDSENSE_QUEUE_NAME%",
            connectionStringSetting="FRAUDSENSE_RABBITMQ_URL",
            data_type="binary",
        )
    function = score_batch if BROKER == "servicebus" else score
    function.start_status = lambda: _note("status")  # type: ignore[attr-defined]
    app.function_name("score")(trigger(function))
