"""The published schema of the envelope says what the decoder does."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from shared.domain.errors import UnreadableEnvelope
from shared.messages.envelope import ENVELOPE_VERSION, MAX_ENVELOPE_BYTES, MAX_ITEMS, decode_envelope
from shared.messages.transaction_in import TransactionIn
from tests.builders import a_posted_transaction

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "envelope.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)


def an_envelope(**changes: Any) -> dict[str, Any]:
    return {"v": 1, "items": [{"transaction": a_posted_transaction(**changes)}]}


def an_item(**fields: Any) -> dict[str, Any]:
    return {"v": 1, "items": [{"transaction": a_posted_transaction(), **fields}]}


def is_decoded(envelope: object) -> bool:
    try:
        _, invalid = decode_envelope(json.dumps(envelope).encode(), now=datetime.now(UTC))
    except UnreadableEnvelope:
        return False
    return not invalid


VALID = [
    an_envelope(),
    an_envelope(amount=25),
    an_envelope(amount=0.0001),
    an_envelope(amount="999999999999.9999"),
    an_envelope(timestamp="2026-01-15t12:00:00.123456789+05:30"),
    an_envelope(geo_lat=90, geo_lon=-180.0),
    an_envelope(merchant_category="Größe, 1", unknown={"kept": [1, None]}),
    {"v": 1, "items": [{"transaction": a_posted_transaction() | {"geo_lat": None, "channel": None}}]},
    {"v": 1, "items": [{"transaction": a_posted_transaction(transaction_id=f"t-{n}")} for n in range(100)]},
    an_item(received_at="2026-01-15T12:00:00Z", traceparent=f"00-{'a' * 32}-{'b' * 16}-01"),
    an_item(received_at=None, traceparent="malformed"),
    an_item(unknown=1),
]
INVALID: list[object] = [
    [],
    {},
    {"v": 1},
    {"v": 1, "items": []},
    {"v": 1, "items": {}},
    {"v": "1", "items": [{"transaction": a_posted_transaction()}]},
    {"v": 0, "items": [{"transaction": a_posted_transaction()}]},
    {"v": 1, "items": [{"transaction": a_posted_transaction()}] * 101},
    {"v": 1, "items": [{}]},
    {"v": 1, "items": [a_posted_transaction()]},
    {"v": 1, "items": [{"transaction": "t-1"}]},
    an_item(received_at="yesterday"),
    an_envelope(transaction_id="has space"),
    an_envelope(account_id="x" * 65),
    an_envelope(merchant_id=7),
    an_envelope(amount=0),
    an_envelope(amount="0.00"),
    an_envelope(amount=-1),
    an_envelope(amount="1e3"),
    an_envelope(amount="1.00001"),
    an_envelope(amount=1_000_000_000_000),
    an_envelope(amount=True),
    an_envelope(currency="usd"),
    an_envelope(timestamp="2026-01-15T12:00:00"),
    an_envelope(timestamp="2026-01-15T25:00:00Z"),
    an_envelope(geo_lat=1.0),
    an_envelope(home_lon=1.0),
    an_envelope(geo_lat=91.0, geo_lon=0.0),
    an_envelope(geo_lat="1", geo_lon="1"),
    an_envelope(channel="line\nbreak"),
    {"v": 1, "items": [{"transaction": a_posted_transaction() | {"geo_lat": 1.0, "geo_lon": None}}]},
]
BEYOND_A_SCHEMA = [
    an_envelope(timestamp="2999-01-01T00:00:00Z"),
    an_envelope(timestamp="2026-02-30T00:00:00Z"),
    an_envelope(currency="ZZZ"),
    an_envelope(amount=1.00001),
    an_envelope(note="4111 1111 1111 1111"),
    an_envelope(cvv="123"),
]


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("envelope", VALID)
def test_what_the_schema_takes_is_decoded(envelope: object) -> None:
    assert VALIDATOR.is_valid(envelope)
    assert is_decoded(envelope)


@pytest.mark.parametrize("envelope", INVALID)
def test_what_the_schema_refuses_is_not_decoded(envelope: object) -> None:
    assert not VALIDATOR.is_valid(envelope)
    assert not is_decoded(envelope)


@pytest.mark.parametrize("envelope", BEYOND_A_SCHEMA)
def test_the_decoder_refuses_what_no_schema_can_say(envelope: object) -> None:
    assert VALIDATOR.is_valid(envelope)
    assert not is_decoded(envelope)


def test_limits_and_fields_are_the_decoders() -> None:
    transaction, model = SCHEMA["$defs"]["transaction"], TransactionIn.model_json_schema()

    assert SCHEMA["properties"]["v"]["const"] == ENVELOPE_VERSION
    assert SCHEMA["properties"]["items"]["maxItems"] == MAX_ITEMS
    assert SCHEMA["x-maxBytes"] == MAX_ENVELOPE_BYTES
    assert list(transaction["properties"]) == list(model["properties"])
    assert transaction["required"] == model["required"]
    assert SCHEMA["$defs"]["identifier"]["pattern"] == model["properties"]["account_id"]["pattern"]
    assert SCHEMA["$defs"]["instant"]["pattern"] == model["properties"]["timestamp"]["pattern"]
