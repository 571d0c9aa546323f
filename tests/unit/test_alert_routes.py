"""alerts over HTTP: pages, the life cycle, problem documents, health, and the table of routes."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from starlette.routing import Mount, WebSocketRoute

from functions.alerts.app import create_app
from functions.alerts.body_limit import MAX_BODY_BYTES
from functions.alerts.hub import Hub
from functions.alerts.origin import is_foreign
from functions.alerts.parts import Parts
from shared.auth import ROUTES
from shared.domain.decision import RiskLabel
from shared.testing.alerts import MemoryAlerts
from shared.testing.announcer import MemoryAnnouncer
from tests.alerts import an_alert
from tests.builders import NOON

COUNT = 12


async def a_silent_feed() -> AsyncIterator[bytes | None]:
    await asyncio.Event().wait()
    yield None


@pytest.fixture
def alerts() -> MemoryAlerts:
    """Alerts 1 to 12, a minute apart from noon on, of two accounts in turn."""
    return MemoryAlerts(
        an_alert(seq, account_id=f"acct-{seq % 2}", risk=seq / 20, created_at=NOON + timedelta(minutes=seq))
        for seq in range(1, COUNT + 1)
    )


@pytest.fixture
def parts(alerts: MemoryAlerts) -> Parts:
    return Parts(alerts, Hub(alerts), a_silent_feed, MemoryAnnouncer(), alerts.labels)


@pytest.fixture
async def client(parts: Parts) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(parts), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://alerts") as client:
        yield client


def seqs(answer: httpx.Response) -> list[int]:
    return [item["seq"] for item in answer.json()["items"]]


def path(seq: int, action: str = "") -> str:
    return f"/alerts/{an_alert(seq).alert_id}{action}"


def assert_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert {"type", "title", "detail"} <= document.keys()
    return document


async def test_pages_follow_each_other_without_gap_or_double(client: httpx.AsyncClient) -> None:
    found, cursor = [], {}
    while True:
        page = await client.get("/alerts", params={"limit": 5} | cursor)
        found.append(seqs(page))
        if page.json()["next_cursor"] is None:
            break
        cursor = {"cursor": page.json()["next_cursor"]}
    assert found == [[12, 11, 10, 9, 8], [7, 6, 5, 4, 3], [2, 1]]


async def test_alerts_that_come_meanwhile_do_not_shift_the_next_page(
    client: httpx.AsyncClient, alerts: MemoryAlerts
) -> None:
    first = await client.get("/alerts", params={"limit": 5})
    alerts.add(an_alert(13))
    second = await client.get("/alerts", params={"limit": 5, "cursor": first.json()["next_cursor"]})
    assert seqs(second) == [7, 6, 5, 4, 3]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"account_id": "acct-1"}, [11, 9, 7, 5, 3, 1]),
        ({"merchant_id": "nobody"}, []),
        ({"min_risk": "0.55"}, [12, 11]),
        ({"since": "2026-01-15T12:10:00Z"}, [12, 11, 10]),
        ({"until": "2026-01-15T13:02:00+01:00"}, [1]),
        ({"risk_label": "LOW"}, []),
        ({"status": "acknowledged"}, [4]),
        ({"status": "acknowledged", "account_id": "acct-1"}, []),
    ],
)
async def test_filters_choose(client: httpx.AsyncClient, query: dict[str, str], expected: list[int]) -> None:
    await client.post(path(4, "/acknowledge"), json={"by": "Ada"})
    assert seqs(await client.get("/alerts", params=query)) == expected


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/limit"),
        ("limit=201", "/limit"),
        ("cursor=nonsense", "/cursor"),
        ("cursor=%C3%A9", "/cursor"),
        ("status=odd", "/status"),
        ("min_risk=nan", "/min_risk"),
        ("since=2026-01-15T12:00:00", "/since"),
        ("account_id=%00", "/account_id"),
        ("statsu=open", "/statsu"),
    ],
)
async def test_a_query_without_sense_is_told_field_by_field(
    client: httpx.AsyncClient, query: str, pointer: str
) -> None:
    document = assert_problem(await client.get(f"/alerts?{query}"), 422)
    assert [error["pointer"] for error in document["errors"]] == [pointer]


async def test_an_alert_goes_through_its_life_cycle_and_every_step_is_told(client: httpx.AsyncClient) -> None:
    await client.post(path(1, "/acknowledge"), json={"by": "Ada"})
    closed = await client.post(
        path(1, "/close"), json={"by": "Grace", "disposition": "fraud", "note": "card was stolen"}
    )
    assert (closed.status_code, closed.json()["status"], closed.json()["disposition"]) == (200, "closed", "fraud")
    await client.post(path(1, "/reopen"), json={"by": "Ada"})
    found = (await client.get(path(1))).json()
    assert (found["status"], found["disposition"], found["closed_at"]) == ("open", None, None)
    steps = [(each["action"], each["by"], each["note"], each["disposition"]) for each in found["events"]]
    assert steps == [
        ("acknowledge", "Ada", None, None),
        ("close", "Grace", "card was stolen", "fraud"),
        ("reopen", "Ada", None, None),
    ]


async def test_a_step_that_the_life_cycle_forbids_is_a_conflict(client: httpx.AsyncClient) -> None:
    await client.post(path(1, "/acknowledge"), json={"by": "Ada"})
    document = assert_problem(await client.post(path(1, "/acknowledge"), json={"by": "Grace"}), 409)
    assert "close, reopen" in document["detail"]


@pytest.mark.parametrize(
    ("action", "body", "pointer"),
    [
        ("acknowledge", {}, "/by"),
        ("acknowledge", {"by": "  "}, "/by"),
        ("acknowledge", {"by": "Ada", "who": "Ada"}, "/who"),
        ("close", {"by": "Ada"}, "/disposition"),
        ("close", {"by": "Ada", "disposition": "maybe"}, "/disposition"),
        ("reopen", {"by": "Ada", "note": "x" * 2001}, "/note"),
        ("reopen", {"by": "Ada", "note": "paid with 4111 1111 1111 1111"}, "/note"),
    ],
)
async def test_a_step_without_sense_is_told_field_by_field(
    client: httpx.AsyncClient, action: str, body: dict[str, str], pointer: str
) -> None:
    document = assert_problem(await client.post(path(1, f"/{action}"), json=body), 422)
    assert [error["pointer"] for error in document["errors"]] == [pointer]
    assert "4111" not in str(document)


async def test_names_of_fields_are_escaped_and_told_only_where_they_hold_no_card_number(
    client: httpx.AsyncClient,
) -> None:
    body = {"by": "Ada", "a/b~c": 1, "4111 1111 1111 1111": 1}
    document = assert_problem(await client.post(path(1, "/acknowledge"), json=body), 422)
    assert [(error["pointer"], error["code"]) for error in document["errors"]] == [
        ("/a~1b~0c", "extra_forbidden"),
        ("", "card_data"),
    ]
    query = assert_problem(await client.get("/alerts?4111111111111111=1"), 422)
    assert "4111" not in f"{document}{query}"


@pytest.mark.parametrize("body", [b"{", b'{"by": "\xff"}', b""])
async def test_a_body_that_is_no_json_is_invalid(client: httpx.AsyncClient, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert_problem(await client.post(path(1, "/acknowledge"), content=body, headers=headers), 422)


async def in_pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(0, size, 1024):
        yield b" " * 1024


@pytest.mark.parametrize("announced", [False, True])
async def test_a_body_too_large_is_refused(client: httpx.AsyncClient, announced: bool) -> None:
    size = MAX_BODY_BYTES + 1024
    headers = {"Content-Type": "application/json"} | ({"Content-Length": str(size)} if announced else {})
    answer = await client.post(path(1, "/acknowledge"), content=in_pieces(size), headers=headers)
    assert_problem(answer, 413)


async def test_pages_of_other_hosts_may_not_read_answers(client: httpx.AsyncClient) -> None:
    answer = await client.get("/alerts", headers={"Origin": "http://evil.example"})
    asked = await client.options(path(1, "/acknowledge"), headers={
        "Origin": "http://evil.example", "Access-Control-Request-Method": "POST",
    })  # fmt: skip
    assert not [name for each in (answer, asked) for name in each.headers if name.startswith("access-control")]


@pytest.mark.parametrize(("headers", "foreign"), [
    ({"host": "127.0.0.1:8080"}, False),
    ({"host": "127.0.0.1:8080", "origin": "http://127.0.0.1:8080"}, False),
    ({"host": "Alerts.example", "origin": "https://alerts.example"}, False),
    ({"host": "127.0.0.1:8080", "origin": "http://127.0.0.1:9090"}, True),
    ({"host": "127.0.0.1:8080", "origin": "http://evil.example"}, True),
    ({"host": "127.0.0.1:8080", "origin": "http://127.0.0.1:8080.evil.example"}, True),
    ({"host": "127.0.0.1:8080", "origin": "http://[broken"}, True),
    ({"host": "127.0.0.1:8080", "origin": "null"}, True),
    ({"origin": "null"}, True),
])  # fmt: skip
def test_a_page_of_another_host_is_foreign(headers: dict[str, str], foreign: bool) -> None:
    assert is_foreign(headers) is foreign


def test_every_reference_of_the_openapi_document_leads_somewhere(parts: Parts) -> None:
    document = create_app(parts).openapi()
    named = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))
    assert named <= document["components"]["schemas"].keys()
    assert "ProblemOut" in named


@pytest.mark.parametrize("unknown", [str(uuid4()), "nonsense"])
async def test_an_unknown_alert_is_not_found(client: httpx.AsyncClient, unknown: str) -> None:
    assert_problem(await client.get(f"/alerts/{unknown}"), 404)
    assert_problem(await client.post(f"/alerts/{unknown}/acknowledge", json={"by": "Ada"}), 404)


async def test_other_errors_are_problem_documents_too(client: httpx.AsyncClient) -> None:
    assert_problem(await client.get("/nowhere"), 404)
    assert_problem(await client.put("/alerts"), 405)
    assert_problem(await client.post(path(1, "/acknowledge"), content=b'{"by": "Ada"}'), 415)
    broken = await client.post(path(1, "/acknowledge"), content=b"{", headers={"Content-Type": "application/json"})
    assert_problem(broken, 422)


async def test_while_the_database_is_away_the_answer_says_when_to_try_again(
    client: httpx.AsyncClient, alerts: MemoryAlerts
) -> None:
    alerts.away = True
    answer = await client.get("/alerts")
    assert_problem(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0
    assert_problem(await client.get("/health"), 503)
    assert (await client.get("/health/live")).status_code == 200


async def test_it_is_ready_once_the_recorded_alerts_were_read(client: httpx.AsyncClient, parts: Parts) -> None:
    unready = assert_problem(await client.get("/health/ready"), 503)
    assert "have not been read yet" in unready["detail"]
    await parts.hub.catch_up()
    assert (await client.get("/health/ready")).json() == {"status": "ready"}


async def test_the_page_forbids_everything_that_is_not_its_own(client: httpx.AsyncClient) -> None:
    for address in ("/", "/static/app.js", "/static/style.css"):
        answer = await client.get(address)
        policy = answer.headers["Content-Security-Policy"]
        assert answer.status_code == 200
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    page = (await client.get("/")).text
    assert "<script>" not in page
    assert "https://" not in page


async def test_the_routes_are_those_of_the_table(parts: Parts) -> None:
    app = create_app(parts)
    served = {(method.upper(), route) for route, methods in app.openapi()["paths"].items() for method in methods}
    for route in app.routes:
        if isinstance(route, WebSocketRoute):
            served.add(("WS", route.path))
        elif isinstance(route, Mount):
            served.add(("GET", f"{route.path}/{{path}}"))
        elif path := getattr(route, "path", None):
            served.add(("GET", path))
    assert served == {(route.method, route.path) for route in ROUTES if route.group == "alerts"}


async def test_the_announced_label_is_kept_in_lists(client: httpx.AsyncClient, alerts: MemoryAlerts) -> None:
    alerts.add(an_alert(13, risk_label=RiskLabel.MEDIUM))
    assert seqs(await client.get("/alerts", params={"risk_label": "MEDIUM"})) == [13]
