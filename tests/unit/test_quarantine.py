"""No card data is kept in clear, whatever the message looks like; everything else is kept as it came."""

import json

import pytest

from shared.domain.quarantine import without_card_data

CARD = "5555555555554444"


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"transaction_id": "t", "pan": CARD}),
        json.dumps({"note": f"\n{CARD}"}),
        json.dumps({"note": f"\t{CARD}\r"}),
        '{"note": "' + "".join(f"\\u{ord(digit):04x}" for digit in CARD) + '"}',
        json.dumps({"v": 1, "items": [{"transaction": {"note": CARD}}] * 101}),
        '{"note": "\\t' + CARD + '", "broken": ',
        '{"note": "' + "".join(f"\\u{ord(digit):04x}" for digit in CARD) + '", "broken": ',
        f"card {CARD} in plain text",
        '{"note": "' + CARD + '", "note": "harmless"}',
    ],
)
def test_a_card_number_is_masked_in_any_message(body: str) -> None:
    kept = without_card_data(body.encode())
    assert CARD.encode() not in kept
    assert b"\\u0035" not in kept
    assert b"*" in kept


@pytest.mark.parametrize("end", ["}", ', "broken": '])
def test_cvv_pin_and_track_are_masked_with_and_without_an_envelope(end: str) -> None:
    body = '{"cvv": "987", "pin": 4321, "track2": "B4111111111111111^X", "amount": "12.00"' + end
    kept = without_card_data(body.encode())
    for secret in (b"987", b"4321", b"B4111"):
        assert secret not in kept
    assert b"12.00" in kept


@pytest.mark.parametrize(
    "body",
    [
        '{"z": ' + "9" * 5_000 + ', "\\u0063vv": "987"}',
        '{"z": 1, "z": 2, "pin": {"value": "987"}}',
        '{"z": 1, "z": 2, "cvv": ["9", "987"]}',
        '{"cvv": 1, "cvv": 987}',
        '{"z": 1, "\\u0063vv": "987"',
        '{"z": 1, "pin": {"value": "987"}',
        '{"z": 1, "cvv": ["9", "987"]',
        "[" * 5_000 + '"\\u0063vv": "987"',
        "{'cvv': '987'}",
        "cvv=987&z=1",
        "junk cvv=987 pin: 987",
    ],
)
def test_security_data_is_masked_in_what_only_resembles_a_transaction(body: str) -> None:
    assert b"987" not in without_card_data(body.encode())


@pytest.mark.parametrize(
    "body",
    [b"\xff\x00 not JSON", b'{"v" : 1,  "items": []}', b"{", b"[" * 5_000, b'{"geo_lat":39.5555555555554444}'],
)
def test_bytes_without_card_data_are_kept_as_they_came(body: bytes) -> None:
    assert without_card_data(body) == body
