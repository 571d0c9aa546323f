"""POST /labels: each label accepted or refused by itself, bounded, without card data, documented."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from functions.alerts.app import create_app
from functions.alerts.body_limit import MAX_BODY_BYTES, MAX_LABELS_BYTES
from functions.alerts.hub import Hub
from functions.alerts.parts import Parts
from shared.testing.alerts import MemoryAlerts
from shared.testing.announcer import MemoryAnnouncer
from shared.testing.labels import MemoryLabels
from tests.builders import NOON


async def a_silent_feed() -> AsyncIterator[bytes | None]:
    await asyncio.Event().wait()
    yield None


@pytest.fixture
def labels() -> MemoryLabels:
    """The transaction txn-1 is recorded."""
    labels = MemoryLabels()
    labels.recorded.add("txn-1")
    return labels


@pytest.fixture
async def client(labels: MemoryLabels) -> AsyncIterator[httpx.AsyncClient]:
    alerts = MemoryAlerts()
    parts = Parts(alerts, Hub(alerts), a_silent_feed, MemoryAnnouncer(), labels, clock=lambda: NOON)
    transport = httpx.ASGITransport(create_app(parts), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://alerts") as client:
        yield client


def a_posted_label(transaction_id: str = "txn-1", **changes: Any) -> dict[str, Any]:
    """A valid label as it is posted; a field set to None is left out."""
    posted = {"transaction_id": transaction_id, "label": "fraud", "source": "chargeback", "by": "bank"} | changes
    return {name: value for name, value in posted.items() if value is not None}


async def results(client: httpx.AsyncClient, *labels: Any) -> list[dict[str, Any]]:
    answer = await client.post("/labels", json={"labels": labels})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


async def test_each_label_says_what_it_did_and_whether_its_transaction_is_known(client: httpx.AsyncClient) -> None:
    posted = [a_posted_label(), a_posted_label("txn-2"), a_posted_label()]
    assert await results(client, *posted) == [
        {"index": 0, "transaction_id": "txn-1", "status": "new", "transaction_known": True},
        {"index": 1, "transaction_id": "txn-2", "status": "new", "transaction_known": False},
        {"index": 2, "transaction_id": "txn-1", "status": "same", "transaction_known": True},
    ]


async def test_a_label_posted_alone_is_taken_too(client: httpx.AsyncClient, labels: MemoryLabels) -> None:
    answer = await client.post("/labels", json=a_posted_label(known_at="2026-01-15T10:00:00+01:00", note="phone"))
    assert (answer.status_code, answer.json()["results"][0]["status"]) == (200, "new")
    kept = labels.kept["txn-1", "chargeback"]
    assert (kept.known_at, kept.by, kept.note) == (datetime(2026, 1, 15, 9, tzinfo=UTC), "bank", "phone")


async def test_the_time_it_is_known_is_now_unless_it_is_said(
    client: httpx.AsyncClient, labels: MemoryLabels
) -> None:
    await results(client, a_posted_label())
    assert labels.kept["txn-1", "chargeback"].known_at == NOON


async def test_what_is_wrong_with_a_label_leaves_the_others_alone(
    client: httpx.AsyncClient, labels: MemoryLabels
) -> None:
    found = await results(client, a_posted_label(label="stolen", by=None), a_posted_label("txn-2"), "nonsense")
    assert [each.get("status") for each in found] == [None, "new", None]
    assert [error["pointer"] for error in found[0]["problem"]["errors"]] == ["/label", "/by"]
    assert found[2]["problem"]["errors"][0]["pointer"] == ""
    assert [*labels.kept] == [("txn-2", "chargeback")]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"transaction_id": "no spaces please"}, "/transaction_id"),
        ({"label": "FRAUD"}, "/label"),
        ({"source": "Charge Back"}, "/source"),
        ({"source": None}, "/source"),
        ({"by": " "}, "/by"),
        ({"known_at": "2026-01-15"}, "/known_at"),
        ({"known_at": "2026-02-30T00:00:00Z"}, "/known_at"),
        ({"known_at": "2026-01-15T12:05:01Z"}, "/known_at"),
        ({"known_at": 1768478400}, "/known_at"),
        ({"note": "x" * 2001}, "/note"),
        ({"reason": "unknown field"}, "/reason"),
    ],
)
async def test_a_label_alone_that_is_wrong_is_refused_field_by_field(
    client: httpx.AsyncClient, labels: MemoryLabels, changes: dict[str, Any], pointer: str
) -> None:
    answer = await client.post("/labels", json=a_posted_label(**changes))
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert labels.kept == {}


@pytest.mark.parametrize("body", [[a_posted_label()], [], "txn-1", 1])
async def test_a_body_that_is_no_object_is_told_its_form(
    client: httpx.AsyncClient, labels: MemoryLabels, body: object
) -> None:
    answer = await client.post("/labels", json=body)

    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"]) == (422, "object_required")
    assert '{"labels": [...]}' in error["detail"]
    assert labels.kept == {}


async def test_an_empty_list_has_no_results(client: httpx.AsyncClient) -> None:
    assert await results(client) == []


async def test_up_to_five_minutes_ahead_are_a_clock_that_is_off(client: httpx.AsyncClient) -> None:
    ahead = (NOON + timedelta(minutes=5)).isoformat()
    assert [each["status"] for each in await results(client, a_posted_label(known_at=ahead))] == ["new"]


@pytest.mark.parametrize(
    "changes",
    [{"transaction_id": "4111111111111111"}, {"note": "card 4111 1111 1111 1111"}, {"cvv": "123"}],
)
async def test_card_data_is_refused_and_not_repeated(
    client: httpx.AsyncClient, labels: MemoryLabels, changes: dict[str, Any]
) -> None:
    answer = await client.post("/labels", json=a_posted_label(**changes))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "card_data")
    assert "1111" not in answer.text
    assert labels.kept == {}


@pytest.mark.parametrize("body", [b'{"labels": {}}', b'{"labels": [', b"[]", b"\xff"])
async def test_a_body_that_is_no_list_of_labels_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/labels", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json")


async def test_another_content_type_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/labels", content=b"{}", headers={"Content-Type": "text/csv"})
    assert answer.status_code == 415


async def test_a_thousand_labels_are_taken_and_one_more_is_not(client: httpx.AsyncClient) -> None:
    most = [a_posted_label(f"txn-{number}") for number in range(1000)]
    assert len(await results(client, *most)) == 1000
    answer = await client.post("/labels", json={"labels": [*most, a_posted_label()]})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "too_many_items")


async def test_labels_may_take_a_mebibyte_and_no_more(client: httpx.AsyncClient) -> None:
    noted = [a_posted_label(f"txn-{number}", note="x" * 1900) for number in range(500)]
    assert len(str(noted)) > MAX_BODY_BYTES
    assert len(await results(client, *noted)) == 500
    answer = await client.post("/labels", json={"labels": noted * 2, "filler": "x" * MAX_LABELS_BYTES})
    assert answer.status_code == 413


async def test_a_database_that_is_away_is_unavailable(client: httpx.AsyncClient, labels: MemoryLabels) -> None:
    labels.away = True
    answer = await client.post("/labels", json=a_posted_label())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


async def test_the_body_is_documented(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    schema = document["paths"]["/labels"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    names = [each["$ref"].rpartition("/")[2] for each in schema["anyOf"]]
    assert names == ["LabelsIn", "LabelIn"]
    assert document["components"]["schemas"].keys() >= {*names}
