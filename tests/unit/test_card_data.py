"""Card data is found wherever it hides, and nothing else is taken for it."""

import json
import random
import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.card_data import (
    card_number_spans,
    find_card_data,
    has_card_number,
    is_forbidden_name,
    mask_card_data,
    mask_card_numbers,
)

CARDS = [
    "4111111111111111", "5500005555555559", "378282246310005", "6011000990139424", "30569309025904",
    "4222222222222", "6304000000000000000",
]  # fmt: skip


def passes_luhn(digits: str) -> bool:
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2]]
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def a_card(length: int, seed: int) -> str:
    digits = "".join(str(random.Random(seed + n).randrange(10)) for n in range(length - 1))
    return next(f"{digits}{check}" for check in range(10) if passes_luhn(f"{digits}{check}"))


@pytest.mark.parametrize("card", CARDS)
def test_known_test_cards_are_found_plain_spaced_and_dashed(card: str) -> None:
    for separator in ("", " ", "-"):
        written = separator.join(card[i : i + 4] for i in range(0, len(card), 4))
        assert has_card_number(f"paid with {written}, thanks")


@given(
    length=st.integers(13, 19), seed=st.integers(0, 10**6), before=st.sampled_from(["", " ", ":", "#", "_", "é "])
)
def test_every_luhn_valid_run_of_13_to_19_digits_is_found(length: int, seed: int, before: str) -> None:
    assert has_card_number(f"{before}{a_card(length, seed)}")


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",
        "411111111111",
        "a4111111111111111",
        "4111111111111111a",
        "94111111111111111111",
        "4111  1111  1111  1111",
        "4111.1111.1111.1111",
        "1cdcc85d07d3d8605df445c0",
        "2026-01-15T12:00:00Z",
        "550e8400-e29b-41d4-a716-446655440000",
    ],
)
def test_what_is_no_card_number_passes(text: str) -> None:
    assert not has_card_number(text)


def test_a_card_number_beside_other_groups_of_digits_is_found() -> None:
    assert [*card_number_spans("12 4111 1111 1111 1111 99")] != []


def spans_by_definition(text: str) -> set[tuple[int, int]]:
    """Every piece of `text` that is a card number, tried one by one."""
    return {
        (start, end)
        for start in range(len(text))
        for end in range(start + 13, min(start + 37, len(text)) + 1)
        if re.fullmatch(r"\d([ -]?\d){12,18}", piece := text[start:end])
        and not re.search(r"[^\W_]$", text[:start])
        and not re.match(r"[^\W_]", text[end:])
        and passes_luhn(re.sub("[ -]", "", piece))
    }


@given(st.text("0123456789 -a", max_size=80) | st.text("018 ", min_size=13, max_size=60))
def test_exactly_the_card_numbers_are_found(text: str) -> None:
    assert set(card_number_spans(text)) == spans_by_definition(text)


def test_a_long_row_of_single_digits_is_searched_once_and_not_once_per_digit() -> None:
    assert not has_card_number("1 " * 200_000)


@pytest.mark.parametrize(
    "name",
    ["cvv", "CVV2", "cardCvv", "c_v_v", "cvc", "CVC2", "csc", "pin", "PIN", "cardPin", "pin_block", "track1",
     "cardpin", "CARDPIN", "userpin", "atmpin", "pinoffset", "cvn2",
     "track_2_data", "trackData", "securityCode", "card_security_code", "cardVerificationValue",
     "\uff43\uff56\uff56"],
)  # fmt: skip
def test_names_of_security_data_are_forbidden(name: str) -> None:
    assert is_forbidden_name(name)


@pytest.mark.parametrize(
    "name",
    ["shipping", "pinned", "spinning", "tracking_id", "trackingNumber", "opinion", "code", "security", "device"],
)
def test_names_that_only_resemble_them_are_not(name: str) -> None:
    assert not is_forbidden_name(name)


def test_long_names_chosen_by_clients_are_not_kept() -> None:
    tracemalloc.start()
    try:
        assert not any(is_forbidden_name(f"{number:016}") for number in range(5_000))
        assert is_forbidden_name(f"{'x' * 100}_cvv")
        before, _ = tracemalloc.get_traced_memory()
        assert not any(is_forbidden_name(f"{number:016384}") for number in range(200))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 100_000


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ({"a": [1, {"b": CARDS[0]}]}, "/a/1/b"),
        ({"a": {CARDS[0]: 1}}, "/a"),
        ({f"cvv {CARDS[0]}": 1}, ""),
        ({"a/b~c": int(CARDS[0])}, "/a~1b~0c"),
        (CARDS[0], ""),
        ({"n": float(CARDS[0])}, "/n"),
        ({"n": -int(CARDS[0])}, "/n"),
        ({"n": 4111111111111111.5}, "/n"),
        ({"a": True, "b": None, "c": [1.5]}, None),
        ({"a": 0.4111111111111111, "b": 4.111111111111111, "c": 1e300, "d": float("inf")}, None),
        ({"a": "0.4111111111111111"}, "/a"),
    ],
)
def test_the_pointer_names_the_place_and_never_the_number(value: object, pointer: str | None) -> None:
    assert find_card_data(value) == pointer


@given(st.binary(max_size=200))
def test_masking_keeps_the_length_and_leaves_no_card_number(body: bytes) -> None:
    masked = mask_card_numbers(body)
    assert len(masked) == len(body)
    assert not has_card_number(masked.decode("ascii", "replace"))


@given(st.text(max_size=30), st.text(max_size=30), st.sampled_from(CARDS))
def test_masking_takes_the_number_out_of_any_text(before: str, after: str, card: str) -> None:
    assert card.encode() not in mask_card_numbers(f"{before} {card} {after}".encode())


def test_masking_parsed_json_hides_numbers_keys_and_forbidden_values() -> None:
    posted = {
        "note": f"x {CARDS[0]}",
        "n": int(CARDS[0]),
        "cvv": "123",
        "deep": [{CARDS[1]: {"pin": 9}}],
        "ok": 1.5,
        "fraction": 0.6011000990139424,
        "whole": float(CARDS[0]),
    }
    masked = mask_card_data(posted)
    assert find_card_data({k: v for k, v in masked.items() if k in ("note", "n", "ok", "whole")}) is None
    assert masked["cvv"] == "*"
    assert (masked["ok"], masked["fraction"], masked["whole"]) == (1.5, 0.6011000990139424, "*" * 16)
    assert not any(secret in json.dumps(masked) for secret in (CARDS[0], CARDS[1], "123", "9}"))
