"""Every bad input gets its problem document, and nothing is queued."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.builders import a_posted_transaction
from tests.unit.ingest_door import a_door

CARD = "4111 1111 1111 1111"
WITHOUT_ID = {k: v for k, v in a_posted_transaction().items() if k != "transaction_id"}


def bad(expected: str, name: str, **changes: Any) -> Any:
    return pytest.param(a_posted_transaction() | changes, expected, id=name)


INVALID = [
    bad("/transaction_id identifier_form", "an id with a space", transaction_id="a b"),
    bad("/transaction_id identifier_form", "an id with a line break", transaction_id="txn-1\n"),
    bad("/transaction_id identifier_form", "an id too long", transaction_id="x" * 65),
    bad("/account_id string_required", "a number as account", account_id=7),
    bad("/amount amount_form", "a negative amount", amount=-5),
    bad("/amount amount_form", "a negative amount as text", amount="-5.00"),
    bad("/amount amount_form", "nothing", amount=0),
    bad("/amount amount_form", "NaN as text", amount="NaN"),
    bad("/amount amount_form", "five decimals", amount="1.00001"),
    bad("/amount amount_form", "five decimals as a number", amount=1.00001),
    bad("/amount amount_form", "thirteen digits", amount=1_000_000_000_000),
    bad("/amount amount_form", "an exponent", amount="1e3"),
    bad("/amount amount_form", "true as amount", amount=True),
    bad("/amount amount_form", "other digits", amount="٣.00"),
    bad("/amount amount_form", "a list as amount", amount=[1]),
    bad("/currency unknown_currency", "an unknown currency", currency="XYZ"),
    bad("/currency unknown_currency", "a currency in small letters", currency="usd"),
    bad("/timestamp time_invalid", "a time without zone", timestamp="2026-01-15T12:00:00"),
    bad("/timestamp time_invalid", "30 February", timestamp="2026-02-30T12:00:00Z"),
    bad("/timestamp time_invalid", "a date", timestamp="2026-01-15"),
    bad("/timestamp time_invalid", "hour 24", timestamp="2026-01-14T24:00:00Z"),
    bad("/timestamp time_invalid", "year 0", timestamp="0000-01-14T12:00:00Z"),
    bad("/timestamp time_invalid", "a time before year 1 in UTC", timestamp="0001-01-01T00:00:00+01:00"),
    bad("/timestamp string_required", "epoch seconds", timestamp=1_768_478_400),
    bad("/timestamp time_in_future", "a time in the future", timestamp="2026-01-15T12:06:01Z"),
    bad("/geo_lon incomplete_place", "a latitude alone", geo_lat=1.5),
    bad("/home_lat incomplete_place", "a home longitude alone", home_lon=1.5),
    bad("/geo_lat out_of_range", "a latitude beyond the pole", geo_lat=91, geo_lon=0),
    bad("/geo_lat number_required", "a latitude as text", geo_lat="1", geo_lon=0),
    bad("/geo_lat number_required", "true as latitude", geo_lat=True, geo_lon=0),
    bad("/channel text_form", "a control character", channel="a\x07b"),
    bad("/channel text_form", "an empty text", channel=""),
    bad("/note unstorable_value", "a NUL in an unknown field", note={"deep": ["\x00"]}),
    bad("/n unstorable_value", "an endless number", n=10**400),
    bad(" unstorable_value", "a NUL in the name of a field", **{"a\x00": 1}),
    bad("/note card_data", "a card number in an unknown field", note=f"paid with {CARD}"),
    bad("/deep/list/1/n card_data", "a card number deep down", deep={"list": [1, {"n": 4111111111111111}]}),
    bad("/a~1b card_data", "a card number in a field whose name needs escapes", **{"a/b": CARD}),
    bad(" card_data", "a card number as the name of a field", **{CARD: 1}),
    bad("/device_id card_data", "a card number in wide digits", device_id="\uff14" + "\uff11" * 15),
    bad("/account_id card_data", "a card number as account", account_id="4111111111111111"),
    bad("/n card_data", "a card number as a fraction", n=4111111111111111.0),
    bad("/cvv card_data", "a CVV", cvv="123"),
    bad("/card/pinBlock card_data", "a PIN", card={"pinBlock": "x"}),
    bad("/track_2_data card_data", "track data", track_2_data="x"),
    bad("/c_v_v card_data", "a CVV with underscores", c_v_v="1"),
    pytest.param(WITHOUT_ID, "/transaction_id missing", id="a missing field"),
    pytest.param([], " object_required", id="a list"),
    pytest.param("x", " object_required", id="a text"),
]


@pytest.mark.parametrize(("posted", "expected"), INVALID)
async def test_an_invalid_transaction_is_refused_with_its_field_error_and_nothing_is_queued(
    posted: Any, expected: str
) -> None:
    async with a_door() as door:
        response = await door.post(posted)
        problem = response.json()
        assert response.status_code == problem["status"] == 422
        assert response.headers["content-type"] == "application/problem+json"
        assert [f"{e['pointer']} {e['code']}" for e in problem["errors"]] == [expected]
        assert door.queued() == []
        assert door.receipts.kept == {}


BROKEN = [
    b"",
    b"{",
    b"{'a': 1}",
    b'{"amount": NaN}',
    b'{"a": "\xff"}',
    b'{"a": "\\ud800"}',
    b"[" * 500,
    b"\xef\xbb\xbf{}",
]


@pytest.mark.parametrize("body", BROKEN)
async def test_broken_json_is_refused(body: bytes) -> None:
    async with a_door() as door:
        response = await door.client.post(
            "/transactions", content=body, headers={"content-type": "application/json"}
        )
        assert response.status_code == 422
        assert [e["code"] for e in response.json()["errors"]] == ["invalid_json"]
        assert door.queued() == []


async def test_all_field_errors_are_reported_together() -> None:
    posted = a_posted_transaction(
        amount="-1", currency="XYZ", timestamp="2027-01-01T00:00:00Z", geo_lat=1, note=CARD
    ) | {"merchant_id": None}
    async with a_door() as door:
        response = await door.post(posted)
    assert sorted(e["pointer"] for e in response.json()["errors"]) == [
        "/amount", "/currency", "/geo_lon", "/merchant_id", "/note", "/timestamp",
    ]  # fmt: skip


@pytest.mark.parametrize(("posted", "expected"), INVALID)
async def test_a_refusal_repeats_no_card_data(posted: Any, expected: str) -> None:
    async with a_door() as door:
        response = await door.post(posted)
    assert CARD not in response.text
    assert "4111111111111111" not in response.text


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"]
)
async def test_another_content_type_is_refused(content_type: str) -> None:
    async with a_door() as door:
        response = await door.client.post(
            "/transactions",
            content=json.dumps(a_posted_transaction()),
            headers={"content-type": content_type} if content_type else {},
        )
        assert response.status_code == 415
        assert response.headers["content-type"] == "application/problem+json"
        assert door.queued() == []


async def test_a_compressed_body_is_refused() -> None:
    async with a_door() as door:
        response = await door.post(a_posted_transaction(), **{"content-encoding": "gzip"})
        assert response.status_code == 415


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/vnd.pay+json",
        'application/json;a="b c"',
    ],
)
async def test_json_by_other_names_is_taken(content_type: str) -> None:
    async with a_door() as door:
        response = await door.client.post(
            "/transactions",
            content=json.dumps(a_posted_transaction()),
            headers={"content-type": content_type},
        )
        assert response.status_code == 202


@pytest.mark.parametrize("announced", [False, True])
@pytest.mark.parametrize(
    ("path", "limit"), [("/transactions", 16 * 1024), ("/transactions/batch", 4 * 1024 * 1024)]
)
async def test_a_body_too_large_is_refused_and_not_read_to_its_end(path: str, limit: int, announced: bool) -> None:
    piece, taken = b" " * (limit // 8), 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(100):
            taken += len(piece)
            yield piece

    length = {"content-length": str(100 * len(piece))} if announced else {}
    async with a_door() as door:
        response = await door.client.post(
            path, content=pieces(), headers={"content-type": "application/json"} | length
        )
        assert response.status_code == response.json()["status"] == 413
        assert door.queued() == []
    assert taken <= (0 if announced else limit + 2 * len(piece))


async def test_a_body_of_exactly_16_kib_is_taken() -> None:
    body = json.dumps(a_posted_transaction()).encode()
    async with a_door() as door:
        response = await door.client.post(
            "/transactions",
            content=body + b" " * (16 * 1024 - len(body)),
            headers={"content-type": "application/json"},
        )
        assert response.status_code == 202


async def test_a_small_body_that_grows_beyond_the_limit_in_canonical_form_is_refused() -> None:
    body = json.dumps(a_posted_transaction())[:-1] + ', "n": [' + ",".join(["1e15"] * 3000) + "]}"
    async with a_door() as door:
        response = await door.client.post(
            "/transactions", content=body, headers={"content-type": "application/json"}
        )
        assert [e["code"] for e in response.json()["errors"]] == ["too_large"]


async def test_a_batch_of_1001_is_refused_as_a_whole() -> None:
    async with a_door() as door:
        response = await door.post_batch(*[a_posted_transaction(transaction_id=f"t{n}") for n in range(1001)])
        assert response.status_code == 422
        assert response.json()["errors"][0]["code"] == "too_many_items"
        assert door.queued() == []


@pytest.mark.parametrize("body", [[], {}, {"transactions": {}}, 7])
async def test_a_batch_without_a_list_is_refused(body: Any) -> None:
    async with a_door() as door:
        response = await door.client.post("/transactions/batch", json=body)
        assert response.status_code == 422
        assert response.json()["errors"][0]["pointer"] == "/transactions"
