"""The function `ingest` as the Functions host sees it: its bindings, and requests through the ASGI adapter."""

import asyncio
import json
import subprocess
import sys
from typing import Any

import azure.functions as func
import pytest
from pydantic import ValidationError

from functions.ingest.blueprint import blueprint
from functions.ingest.posting import MAX_BATCH_ITEMS
from functions.ingest.wiring import once_per_loop
from shared.command_line import UserError
from shared.settings import Settings
from tests.builders import a_posted_transaction
from tests.conftest import ROOT

SETTINGS = Settings(
    broker="memory", redis_url="redis://127.0.0.1:1/0", database_url="postgresql://127.0.0.1:1/none"
)


@pytest.fixture
def function() -> Any:
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    app.register_functions(blueprint(SETTINGS))
    [function] = app.get_functions()
    return function


async def call(function: Any, method: str, path: str, body: bytes = b"", **headers: str) -> func.HttpResponse:
    request = func.HttpRequest(method=method, url=f"http://host{path}", headers=headers, body=body)
    response: func.HttpResponse = await function.get_user_function()(request, None)
    return response


def test_there_is_one_anonymous_function_on_every_path_with_its_app_beside_it(function: Any) -> None:
    trigger, answer = function.get_dict_repr()["bindings"]
    assert function.get_function_name() == "ingest"
    assert (trigger["type"], trigger["route"], str(trigger["authLevel"].value)) == (
        "httpTrigger",
        "{*route}",
        "anonymous",
    )
    assert "methods" not in trigger
    assert answer["type"] == "http"
    assert callable(function.get_user_function().asgi_app)


async def test_a_transaction_is_taken_through_the_adapter(function: Any) -> None:
    body = json.dumps(a_posted_transaction()).encode()
    response = await call(function, "POST", "/transactions", body, **{"Content-Type": "application/json"})
    assert response.status_code == 202
    assert json.loads(response.get_body()) == {"transaction_id": "txn-1", "status": "queued"}


async def test_a_refusal_keeps_its_media_type_and_headers_through_the_adapter(function: Any) -> None:
    empty = await call(function, "POST", "/transactions", **{"Content-Type": "application/json"})
    no_such_method = await call(function, "PUT", "/transactions")
    assert (empty.status_code, empty.mimetype) == (422, "application/problem+json")
    assert (no_such_method.status_code, no_such_method.headers["allow"]) == (405, "POST")


async def test_encoded_paths_and_queries_come_through_the_adapter(function: Any) -> None:
    live = await call(function, "GET", "/health/live?probe=1")
    away = await call(function, "GET", "/transactions/a%3Ab")
    assert live.status_code == 200
    assert (away.status_code, away.headers["retry-after"]) == (503, "5")


@pytest.mark.parametrize("path", ["/transactions", "/transactions/batch"])
async def test_parts_that_cannot_be_made_are_a_problem_document(path: str) -> None:
    app = func.FunctionApp()
    app.register_functions(blueprint(SETTINGS.model_copy(update={"redis_url": "nonsense"})))
    response = await call(app.get_functions()[0], "POST", path, b"{}", **{"Content-Type": "application/json"})
    assert (response.status_code, response.mimetype) == (500, "application/problem+json")


def test_a_broker_that_the_settings_do_not_say_how_to_reach_stops_the_start() -> None:
    with pytest.raises(UserError, match="needs FRAUDSENSE_SERVICEBUS_CONNECTION"):
        blueprint(SETTINGS.model_copy(update={"broker": "servicebus"}))


def test_the_publishing_queue_has_room_for_a_full_batch() -> None:
    assert Settings(publish_queue_size=MAX_BATCH_ITEMS).publish_queue_size == MAX_BATCH_ITEMS
    with pytest.raises(ValidationError, match="publish_queue_size"):
        Settings(publish_queue_size=MAX_BATCH_ITEMS - 1)


def test_each_event_loop_gets_parts_of_its_own_and_keeps_them() -> None:
    parts = once_per_loop(object)

    async def twice() -> tuple[object, object]:
        return parts(), parts()

    loops = [asyncio.new_event_loop() for _ in range(2)]
    (first, again), (other, _) = [loop.run_until_complete(twice()) for loop in loops]
    for loop in loops:
        loop.close()
    assert first is again
    assert first is not other


def test_a_process_that_serves_ingest_loads_no_numpy() -> None:
    unwanted = "('numpy', 'ml', 'sklearn')"
    loads = f"import sys, functions.ingest.blueprint; sys.exit(any(m in sys.modules for m in {unwanted}))"
    assert subprocess.run([sys.executable, "-c", loads], cwd=ROOT, check=False).returncode == 0
