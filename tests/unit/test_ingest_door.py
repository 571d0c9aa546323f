"""Ingest's HTTP door: what is accepted, answered, queued, limited and read back."""

import asyncio
import json
import logging
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from shared.auth import ROUTES
from shared.broker.memory import MemoryPublisher, MemoryQueue
from shared.domain.decision import Reason, RiskLabel
from shared.domain.errors import BrokerUnavailable
from shared.problems import Kind
from shared.telemetry.metrics import REFUSED
from tests.builders import NOON, a_posted_transaction
from tests.unit.ingest_door import a_door

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class GatedPublisher(MemoryPublisher):
    """A broker that confirms once its gate is open."""

    def __init__(self, queue: MemoryQueue) -> None:
        super().__init__(queue)
        self.gate = asyncio.Event()
        self.asked = asyncio.Event()

    async def publish(self, envelope: bytes, *, message_id: str) -> None:
        self.asked.set()
        await self.gate.wait()
        await super().publish(envelope, message_id=message_id)


class BrokenPublisher(MemoryPublisher):
    """A broker adapter with a bug."""

    async def publish(self, envelope: bytes, *, message_id: str) -> None:
        raise ValueError(f"4111 1111 1111 1111 in {message_id}, {envelope!r}")


class HalfwayPublisher(MemoryPublisher):
    """A broker that goes away after the first envelope."""

    def __init__(self, queue: MemoryQueue) -> None:
        super().__init__(queue)
        self.stored = 0

    async def publish(self, envelope: bytes, *, message_id: str) -> None:
        self.stored += 1
        if self.stored > 1:
            raise BrokerUnavailable
        await super().publish(envelope, message_id=message_id)


async def test_an_accepted_transaction_is_queued_as_posted_and_leaves_a_receipt() -> None:
    async with a_door() as door:
        response = await door.post(a_posted_transaction(loyalty={"tier": "gold"}), traceparent=TRACE)
        [item] = door.queued()
    assert (response.status_code, response.json()) == (202, {"transaction_id": "txn-1", "status": "queued"})
    assert json.loads(item.payload)["loyalty"] == {"tier": "gold"}
    assert item.received_at == NOON + timedelta(minutes=1)
    assert item.traceparent == TRACE
    assert door.receipts.kept == {"txn-1": item.content_hash}


@pytest.mark.parametrize("sent", ["", "nonsense", TRACE.replace("00-", "ff-"), f"00-{'0' * 32}-{'1' * 16}-01"])
async def test_a_transaction_without_a_valid_trace_gets_one(sent: str) -> None:
    async with a_door() as door:
        await door.post(a_posted_transaction(), traceparent=sent)
        [item] = door.queued()
    assert item.traceparent is not None
    assert item.traceparent != sent


async def test_the_same_id_with_other_content_is_refused() -> None:
    async with a_door() as door:
        await door.post(a_posted_transaction(amount="25.00"))
        response = await door.post(a_posted_transaction(amount="25.01"))
        assert response.status_code == 409
        assert len(door.queued()) == 1


async def test_the_same_content_again_is_queued_again() -> None:
    same = a_posted_transaction(amount=25.0, timestamp="2026-01-15T13:00:00+01:00")
    async with a_door() as door:
        await door.post(a_posted_transaction())
        response = await door.post(same)
        assert response.status_code == 202
        assert len(door.queued()) == 2


async def test_an_account_over_its_limit_is_refused_until_a_place_is_free_and_the_refusals_are_counted() -> None:
    async with a_door(per_minute=2) as door:
        for n in range(2):
            await door.post(a_posted_transaction(transaction_id=f"t{n}"))
        response = await door.post(a_posted_transaction(transaction_id="t3"))
        other = await door.post(a_posted_transaction(transaction_id="t4", account_id="acct-2"))
    assert (response.status_code, response.headers["retry-after"]) == (429, "60")
    assert other.status_code == 202
    assert door.rate_limit.refusals == {"acct-1": 1}


async def test_a_broker_that_is_away_gives_503_and_no_receipt() -> None:
    async with a_door() as door:
        door.queue.available = False
        response = await door.post(a_posted_transaction())
        assert response.status_code == 503
        assert int(response.headers["retry-after"]) >= 1
        assert door.receipts.kept == {}


async def test_a_client_that_repeats_what_was_not_confirmed_is_not_limited_for_it() -> None:
    async with a_door(per_minute=2) as door:
        door.queue.available = False
        away = [(await door.post(a_posted_transaction())).status_code for _ in range(3)]
        door.queue.available = True
        back = [(await door.post(a_posted_transaction(transaction_id=f"t{n}"))).status_code for n in range(3)]
    assert (away, back) == ([503] * 3, [202, 202, 429])
    assert door.rate_limit.refusals == {"acct-1": 1}


async def test_requests_that_come_while_one_is_published_leave_together() -> None:
    gated: list[GatedPublisher] = []

    def publisher(queue: MemoryQueue) -> GatedPublisher:
        gated.append(GatedPublisher(queue))
        return gated[0]

    async with a_door(publisher=publisher) as door:
        first = asyncio.create_task(door.post(a_posted_transaction(transaction_id="t0")))
        await gated[0].asked.wait()
        rest = [asyncio.create_task(door.post(a_posted_transaction(transaction_id=f"t{n}"))) for n in range(1, 6)]
        await asyncio.sleep(0.05)
        gated[0].gate.set()
        responses = await asyncio.gather(first, *rest)
        envelopes = door.envelopes()
    assert {response.status_code for response in responses} == {202}
    assert [len(envelope) for envelope in envelopes] == [1, 5]


async def test_a_full_publishing_queue_gives_503_at_once() -> None:
    gated: list[GatedPublisher] = []

    def publisher(queue: MemoryQueue) -> GatedPublisher:
        gated.append(GatedPublisher(queue))
        return gated[0]

    async with a_door(publisher=publisher, publish_queue_size=2) as door:
        tasks = [asyncio.create_task(door.post(a_posted_transaction(transaction_id="t0")))]
        await gated[0].asked.wait()
        tasks += [asyncio.create_task(door.post(a_posted_transaction(transaction_id=f"t{n}"))) for n in (1, 2)]
        await asyncio.sleep(0.05)
        refused = await door.post(a_posted_transaction(transaction_id="t3"))
        gated[0].gate.set()
        responses = await asyncio.gather(*tasks)
    assert refused.status_code == 503
    assert refused.json()["type"] == "urn:fraudsense:problem:queue-full"
    assert [response.status_code for response in responses] == [202, 202, 202]


async def test_other_requests_get_their_turn_between_the_items_of_a_batch_that_take_long() -> None:
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    takes_long = [a_posted_transaction(transaction_id=f"t{n}", note="1 " * 8_000) for n in range(30)]
    async with a_door() as door:
        counting = asyncio.create_task(count_turns())
        response = await door.post_batch(*takes_long)
        counting.cancel()
    assert {each.get("status") for each in response.json()["results"]} == {"queued"}
    assert turns > len(takes_long)


async def test_a_cancelled_request_is_published_all_the_same() -> None:
    gated: list[GatedPublisher] = []

    def publisher(queue: MemoryQueue) -> GatedPublisher:
        gated.append(GatedPublisher(queue))
        return gated[0]

    async with a_door(publisher=publisher) as door:
        tasks = [asyncio.create_task(door.post(a_posted_transaction(transaction_id="t0")))]
        await gated[0].asked.wait()
        tasks.append(asyncio.create_task(door.post(a_posted_transaction(transaction_id="t1"))))
        await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        gated[0].gate.set()
        survivor = await door.post(a_posted_transaction(transaction_id="t2"))
        queued = [item.transaction.transaction_id for item in door.queued()]
    assert survivor.status_code == 202
    assert queued == ["t0", "t1", "t2"]
    assert set(door.receipts.kept) == {"t0", "t1", "t2"}


async def test_an_unforeseen_error_is_a_problem_document_that_tells_nothing() -> None:
    async with a_door(publisher=BrokenPublisher) as door:
        response = await door.post(a_posted_transaction())
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "4111" not in response.text


async def test_an_id_that_no_transaction_can_have_is_not_found() -> None:
    async with a_door() as door:
        answers = [await door.client.get(f"/transactions/{each}") for each in ("a%00b", "a%20b", "x" * 65, "a%0A")]
    assert [answer.status_code for answer in answers] == [404] * 4


async def test_an_unforeseen_error_while_reading_is_a_problem_document_too() -> None:
    async with a_door() as door:
        door.transactions.recorded["txn-1"] = a_record(score="4111 1111 1111 1111")
        response = await door.client.get("/transactions/txn-1")
    assert response.status_code == response.json()["status"] == 500
    assert "4111" not in response.text
    assert "queued" not in response.text


async def test_a_batch_answers_for_each_item_in_order() -> None:
    async with a_door(per_minute=2) as door:
        response = await door.post_batch(
            a_posted_transaction(transaction_id="a"),
            a_posted_transaction(transaction_id="b", amount=-1),
            a_posted_transaction(transaction_id="a", amount="99"),
            a_posted_transaction(transaction_id="c"),
            "nonsense",
            a_posted_transaction(transaction_id="d", account_id="acct-2"),
            a_posted_transaction(transaction_id="d", account_id="acct-2"),
        )
        results = response.json()["results"]
        queued = [item.transaction.transaction_id for item in door.queued()]
    assert response.status_code == 200
    assert [result["index"] for result in results] == list(range(7))
    told = [result.get("status") or result["problem"]["status"] for result in results]
    assert told == ["queued", 422, 409, 429, 422, "queued", "queued"]
    assert results[3]["problem"]["retry_after"] == 60
    assert queued == ["a", "d", "d"]


async def test_an_empty_batch_has_no_results() -> None:
    async with a_door() as door:
        response = await door.post_batch()
    assert (response.status_code, response.json()) == (200, {"results": []})


async def test_a_batch_of_which_nothing_was_confirmed_is_503_as_a_whole() -> None:
    async with a_door() as door:
        door.queue.available = False
        response = await door.post_batch(a_posted_transaction(), {})
    assert response.status_code == 503


async def test_a_batch_confirmed_in_part_names_the_unconfirmed_items() -> None:
    async with a_door(publisher=HalfwayPublisher) as door:
        response = await door.post_batch(*[a_posted_transaction(transaction_id=f"t{n}") for n in range(150)])
        results = response.json()["results"]
    assert response.status_code == 200
    assert [r.get("status") or r["problem"]["status"] for r in results] == ["queued"] * 100 + [503] * 50
    assert len(door.receipts.kept) == 100


def a_record(**changes: Any) -> SimpleNamespace:
    fields = a_posted_transaction(timestamp=NOON, geo_lat=1.5, geo_lon=2.5) | {
        "raw_payload": {"amount": "25"}, "received_at": NOON, "created_at": NOON, "score": 0.97,
        "risk_label": RiskLabel.HIGH, "reasons": (Reason("amount_high", "Large", "900", "25"),), "anomaly": 0.7,
        "model_version": "v1", "alert_id": UUID(int=7),
    }  # fmt: skip
    return SimpleNamespace(
        **(dict.fromkeys(("merchant_category", "home_lat", "home_lon", "channel")) | fields | changes)
    )


async def test_a_scored_transaction_is_read_back_with_its_decision() -> None:
    async with a_door() as door:
        door.transactions.recorded["txn-1"] = a_record()
        response = await door.client.get("/transactions/txn-1")
    body = response.json()
    assert response.status_code == 200
    assert (body["status"], body["score"], body["risk_label"], body["amount"]) == ("scored", 0.97, "HIGH", "25")
    assert body["timestamp"] == "2026-01-15T12:00:00Z"
    assert body["reasons"] == [{"code": "amount_high", "text": "Large", "observed": "900", "usual": "25"}]
    assert body["alert_id"] == str(UUID(int=7))


async def test_a_queued_transaction_is_read_back_with_nulls() -> None:
    async with a_door() as door:
        await door.post(a_posted_transaction())
        body = (await door.client.get("/transactions/txn-1")).json()
    assert (body.pop("transaction_id"), body.pop("status")) == ("txn-1", "queued")
    assert set(body.values()) == {None}


async def test_a_rejected_transaction_is_read_back_as_such() -> None:
    async with a_door() as door:
        door.transactions.rejected["txn-1"] = b"its hash"
        assert (await door.client.get("/transactions/txn-1")).json()["status"] == "rejected"


async def test_an_accepted_transaction_is_queued_though_another_message_with_its_id_was_rejected() -> None:
    async with a_door() as door:
        door.transactions.rejected["txn-1"] = b"another's hash"
        await door.client.post("/transactions", json=a_posted_transaction())
        assert (await door.client.get("/transactions/txn-1")).json()["status"] == "queued"


async def test_an_unknown_transaction_is_404_and_a_database_away_is_503() -> None:
    async with a_door() as door:
        unknown = await door.client.get("/transactions/txn-9")
        door.transactions.available = False
        away = await door.client.get("/transactions/txn-9")
    assert (unknown.status_code, away.status_code) == (404, 503)
    assert {r.headers["content-type"] for r in (unknown, away)} == {"application/problem+json"}
    assert int(away.headers["retry-after"]) >= 1


async def test_a_database_that_is_away_is_told_once_and_so_is_its_return(caplog: pytest.LogCaptureFixture) -> None:
    async with a_door() as door:
        await door.post(a_posted_transaction())
        with caplog.at_level(logging.INFO):
            for available in (False, False, True, True):
                door.transactions.available = available
                await door.client.get("/transactions/txn-1")
    told = [record.event for record in caplog.records if hasattr(record, "event")]
    assert told == ["service_away", "service_back"]


async def test_health_follows_the_broker_and_only_tells_about_the_database() -> None:
    async with a_door() as door:
        healthy = await door.client.get("/health")
        door.transactions.available = False
        without_database = await door.client.get("/health")
        door.queue.available = False
        paths = ("/health", "/health/ready", "/health/live")
        without_broker = [(await door.client.get(path)).status_code for path in paths]
    assert healthy.json() == {"status": "ready", "broker": "available", "database": "available"}
    assert (without_database.status_code, without_database.json()["database"]) == (200, "away")
    assert without_broker == [503, 503, 200]


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/nothing", 404), ("GET", "/transactions", 405), ("DELETE", "/transactions/x", 405),
    ("POST", "/transactions/", 404), ("PUT", "/health", 405), ("POST", "/admin/x", 404),
])  # fmt: skip
async def test_what_is_not_there_is_a_problem_document(method: str, path: str, status: int) -> None:
    async with a_door() as door:
        response = await door.client.request(method, path)
    assert response.status_code == response.json()["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
    assert ("allow" in response.headers) is (status == 405)


async def test_the_routes_are_those_of_the_table() -> None:
    async with a_door() as door:
        app = door.client._transport.app  # type: ignore[attr-defined]
    routes = {(method, route.path) for route in app.routes for method in route.methods - {"HEAD"}}
    ours = {(route.method, route.path) for route in ROUTES if route.group == "ingest"}
    assert routes - {("GET", "/docs/oauth2-redirect")} == ours


async def test_the_openapi_document_names_bodies_answers_and_problems() -> None:
    async with a_door() as door:
        document = (await door.client.get("/openapi.json")).json()
        docs = await door.client.get("/docs")
    post = document["paths"]["/transactions"]["post"]
    assert set(post["responses"]) == {"202", "409", "413", "415", "422", "429", "503"}
    assert "application/problem+json" in post["responses"]["422"]["content"]
    body = post["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    schemas = document["components"]["schemas"]
    assert schemas[body.rsplit("/", 1)[1]]["required"][0] == "transaction_id"
    references = set(_references(document))
    assert {reference.rsplit("/", 1)[1] for reference in references} <= set(schemas)
    assert docs.status_code == 200


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [each for inner in node.values() for each in _references(inner)]
    return [each for inner in node for each in _references(inner)] if isinstance(node, list) else []


def test_the_refusals_shown_from_the_start_are_reasons_that_the_door_gives() -> None:
    assert set(REFUSED.starts_at) <= {kind.reason for kind in Kind} | {"card_data"}
