"""A posted transaction has one canonical form, and survives the way through an envelope."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.domain.card_data import find_card_data, has_card_number
from shared.domain.errors import NewerEnvelope, UnreadableEnvelope
from shared.messages.envelope import MAX_ENVELOPE_BYTES, MAX_ITEMS, decode_envelope, encode_envelopes
from shared.messages.json_size import surely_longer
from shared.messages.transaction_errors import InvalidTransaction
from shared.messages.transaction_in import LONGEST_ON_ITS_WAY, Item, parse_json, parse_transaction
from tests.builders import NOON, a_posted_transaction
from tests.unit.test_card_data import CARDS

identifiers = st.from_regex(r"\A[A-Za-z0-9._:@+-]{1,64}\Z")
texts = st.from_regex(r"\A[^\x00-\x1f\x7f]{1,64}\Z").filter(lambda t: t.isprintable())
amounts = st.decimals("0.0001", "999999999999.9999", places=4).map(lambda d: format(d, "f"))
instants = st.datetimes(datetime(1990, 1, 1), datetime(2026, 1, 15)).map(lambda d: d.replace(tzinfo=UTC))  # noqa: DTZ001
degrees = st.floats(-90, 90, allow_nan=False)
plain_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e6, 1e6) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def posted_transactions(draw: st.DrawFn) -> dict[str, Any]:
    """Valid transactions, with and without optional and unknown fields."""
    posted = {
        "transaction_id": draw(identifiers), "account_id": draw(identifiers), "merchant_id": draw(identifiers),
        "amount": draw(amounts), "currency": draw(st.sampled_from(["USD", "JPY", "KWD"])),
        "timestamp": draw(instants).isoformat(),
    }  # fmt: skip
    if draw(st.booleans()):
        posted |= {"geo_lat": draw(degrees), "geo_lon": draw(degrees)}
    posted |= {
        name: draw(texts) for name in draw(st.sets(st.sampled_from(["channel", "device_id", "ip_address"])))
    }
    posted |= {f"x{n}": value for n, value in enumerate(draw(st.lists(plain_json, max_size=2)))}
    assume(find_card_data(posted) is None)
    return posted


def parsed(posted: Any) -> Item:
    return parse_transaction(parse_json(json.dumps(posted).encode()), now=NOON)


@given(posted_transactions())
def test_an_item_survives_the_way_through_an_envelope(posted: dict[str, Any]) -> None:
    item = parsed(posted)
    [(body, _)] = encode_envelopes([item])
    assert decode_envelope(body, now=NOON) == ([item], [])


@given(posted_transactions(), st.randoms())
def test_the_order_of_keys_does_not_matter(posted: dict[str, Any], random: Any) -> None:
    keys = list(posted)
    random.shuffle(keys)
    assert parsed({key: posted[key] for key in keys}).content_hash == parsed(posted).content_hash


@given(posted_transactions(), st.integers(-23 * 60, 23 * 60))
def test_the_same_instant_in_another_zone_is_the_same(posted: dict[str, Any], minutes: int) -> None:
    there = datetime.fromisoformat(posted["timestamp"]).astimezone(timezone(timedelta(minutes=minutes)))
    assert parsed(posted | {"timestamp": there.isoformat()}).content_hash == parsed(posted).content_hash


@given(posted_transactions())
def test_trailing_zeros_of_the_amount_do_not_matter(posted: dict[str, Any]) -> None:
    shortest = format(Decimal(posted["amount"]).normalize(), "f")
    assert parsed(posted | {"amount": shortest}).content_hash == parsed(posted).content_hash


@pytest.mark.parametrize("amount", ["25.00", "25.0", "25", 25, 25.0, "25.0000", "0025"])
def test_an_amount_is_the_same_however_it_is_written(amount: Any) -> None:
    assert parsed(a_posted_transaction(amount=amount)).content_hash == parsed(a_posted_transaction()).content_hash


@pytest.mark.parametrize(
    "changes",
    [{"amount": "25.01"}, {"currency": "EUR"}, {"note": "x"}, {"note": None, "x": 1}, {"channel": "web"},
     {"timestamp": "2026-01-15T12:00:00.000001Z"}, {"merchant_id": "mer-2"}],
)  # fmt: skip
def test_other_content_has_another_hash(changes: dict[str, Any]) -> None:
    assert parsed(a_posted_transaction(**changes)).content_hash != parsed(a_posted_transaction()).content_hash


def test_a_null_for_an_optional_field_is_the_same_as_none_given() -> None:
    assert parsed(a_posted_transaction() | {"channel": None}) == parsed(a_posted_transaction())


latitudes, longitudes = st.floats(-90, 90), st.floats(-180, 180)


@given(st.tuples(latitudes, longitudes, latitudes, longitudes))
def test_every_place_on_earth_is_accepted_whatever_its_digits(degrees: tuple[float, ...]) -> None:
    places = dict(zip(("geo_lat", "geo_lon", "home_lat", "home_lon"), degrees, strict=True))
    assert parsed(a_posted_transaction(**places)).transaction.place is not None
    assert parsed(a_posted_transaction(**places, note="kept")).transaction.place is not None


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("number", [int, float, lambda card: -float(card), lambda card: [{"n": int(card)}]])
def test_a_card_number_is_refused_as_whole_number_and_before_the_point(card: str, number: Any) -> None:
    with pytest.raises(InvalidTransaction) as refused:
        parsed(a_posted_transaction(geo_lat=1.5, geo_lon=2.5, n=number(card)))
    assert [error.code for error in refused.value.errors] == ["card_data"]


@pytest.mark.parametrize("field", ["transaction_id", "account_id", "merchant_id", "merchant_category", "channel",
                                   "device_id", "ip_address"])  # fmt: skip
@pytest.mark.parametrize("text", [CARDS[0], f"0.{CARDS[0]}", f"1.{CARDS[0]}-2", "4111-1111-1111-1111"])
def test_a_card_number_is_refused_in_every_known_text(field: str, text: str) -> None:
    with pytest.raises(InvalidTransaction) as refused:
        parsed(a_posted_transaction(**{field: text}))
    assert [(error.pointer, error.code) for error in refused.value.errors] == [(f"/{field}", "card_data")]


@given(plain_json)
def test_whatever_is_posted_is_parsed_or_refused_with_errors(posted: Any) -> None:
    with pytest.raises(InvalidTransaction) as refused:
        parse_transaction(posted, now=NOON)
    assert refused.value.errors


@given(
    st.dictionaries(
        st.text("a~/01é\x00", max_size=6) | st.sampled_from([*CARDS, "~1", "a/b~", "cvv", f"x {CARDS[0]}"]),
        st.recursive(
            st.sampled_from([CARDS[0], int(CARDS[1]), "\x00", 1, None]),
            lambda inner: st.dictionaries(st.text("~/a", max_size=3) | st.sampled_from(["pin", CARDS[2]]), inner),
        ),
    )
)
def test_a_pointer_leads_to_a_place_and_repeats_no_card_number(changes: dict[str, Any]) -> None:
    posted = a_posted_transaction() | changes
    refused = refusal(posted)
    assert not has_card_number(str(refused))
    assert all(is_place(posted, each.pointer) for each in refused.errors)
    assert not any(has_card_number(each.pointer) for each in refused.errors)


def refusal(posted: Any) -> InvalidTransaction:
    """What is wrong with it; nothing where it is accepted."""
    try:
        parsed(posted)
    except InvalidTransaction as error:
        return error
    return InvalidTransaction([])


def is_place(value: Any, pointer: str) -> bool:
    """Whether a JSON pointer leads somewhere in parsed JSON (RFC 6901, section 4)."""
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key not in value:
            return False
        value = value[key if isinstance(value, dict) else int(key)]
    return True


@given(st.dictionaries(st.sampled_from(list(a_posted_transaction(geo_lat=1, geo_lon=1, x=1))), plain_json))
def test_a_transaction_with_any_fields_spoilt_is_parsed_or_refused(changes: dict[str, Any]) -> None:
    with suppress(InvalidTransaction):
        assert parsed(a_posted_transaction() | changes).transaction.amount > 0


def test_transactions_are_packed_into_as_few_envelopes_as_fit_100_items_and_192_kib() -> None:
    small = [parsed(a_posted_transaction(transaction_id=f"t{n}")) for n in range(250)]
    large = [parsed(a_posted_transaction(transaction_id=f"l{n}", note="x" * 15_000)) for n in range(20)]
    envelopes = [*encode_envelopes(small + large)]
    assert [len(part) for _, part in envelopes[:2]] == [MAX_ITEMS, MAX_ITEMS]
    assert all(len(body) <= MAX_ENVELOPE_BYTES for body, _ in envelopes)
    assert [item for body, _ in envelopes for item in decode_envelope(body, now=NOON)[0]] == small + large


def test_a_bad_item_leaves_the_others_of_its_envelope_alone() -> None:
    good = parsed(a_posted_transaction())
    bad = {"transaction": a_posted_transaction(transaction_id="bad", amount="-1", cvv="123")}
    body = b'{"v":1,"items":[%b,%b]}' % (json.dumps(bad).encode(), b'{"transaction":%b}' % good.payload)
    [item], [invalid] = decode_envelope(body, now=good.received_at)
    assert item == good
    assert (invalid.transaction_id, invalid.reason) == ("bad", "card_data")


@pytest.mark.parametrize(
    "entry",
    [7, {}, {"transaction": 7}, {"transaction": {"transaction_id": "a b"}},
     {"transaction": {"transaction_id": "a\n"}}, {"transaction": {"transaction_id": "4111111111111111"}}],
)  # fmt: skip
def test_an_item_whose_id_cannot_be_used_has_none(entry: object) -> None:
    body = json.dumps({"v": 1, "items": [entry]}).encode()
    assert [invalid.transaction_id for invalid in decode_envelope(body, now=NOON)[1]] == [None]


@pytest.mark.parametrize(
    "body",
    [b"", b"garbage", b"[]", b"{}", b'{"v":1}', b'{"v":1,"items":[]}', b'{"v":1.0,"items":[1]}',
     b'{"v":true,"items":[1]}', b'{"v":"2","items":[1]}', b'{"v":0,"items":[1]}', b'{"v":1,"items":{}}',
     b'{"v":1,"items":[' + b"1," * 100 + b"1]}",
     b'{"v":1,"items":["' + b"x" * MAX_ENVELOPE_BYTES + b'"]}'],
)  # fmt: skip
def test_what_is_no_envelope_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableEnvelope):
        decode_envelope(body, now=NOON)


TOO_MANY = {f"f{number}": number for number in range(300_000)}


@pytest.mark.parametrize(
    "changes",
    [TOO_MANY, {"x": TOO_MANY}, {"x": [TOO_MANY]}, {"x": [1] * 40_000}, {"x": "1" * 40_000}, {"x" * 40_000: 1},
     {"x": [0] * 20_000}, {"n": [1e300] * 16_000}],
    ids=["fields", "fields deep down", "in a list", "list", "text", "name", "numbers", "exponents"],
)  # fmt: skip
@pytest.mark.parametrize("amount", ["25.00", "-1"])
def test_what_is_too_large_is_told_so_and_searched_no_further(changes: dict[str, Any], amount: str) -> None:
    posted = a_posted_transaction(amount=amount, note=f"paid with {CARDS[0]}") | changes
    with pytest.raises(InvalidTransaction) as refused:
        parse_transaction(posted, now=NOON)
    assert [error.code for error in refused.value.errors] == ["too_large"]


def test_a_too_large_item_of_an_envelope_is_told_so_by_its_id() -> None:
    posted = a_posted_transaction(transaction_id="large", list=[1] * 40_000)
    [], [invalid] = decode_envelope(json.dumps({"v": 1, "items": [{"transaction": posted}]}).encode(), now=NOON)
    assert (invalid.transaction_id, invalid.reason) == ("large", "too_large")


@given(plain_json)
def test_json_is_surely_longer_only_than_less_than_its_length(value: Any) -> None:
    length = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    assert not surely_longer(value, length)
    assert surely_longer([value, "x" * 100], 100)


def test_a_newer_envelope_is_told_apart_from_a_broken_one() -> None:
    with pytest.raises(NewerEnvelope):
        decode_envelope(b'{"v":2,"things":[]}', now=NOON)


@pytest.mark.parametrize("sent", ["x", 7, f"00-{'0' * 32}-{'1' * 16}-01"])
def test_a_broken_trace_is_left_out_and_does_not_reject_the_item(sent: object) -> None:
    entry = {"transaction": a_posted_transaction(), "traceparent": sent}
    [item], invalid = decode_envelope(json.dumps({"v": 1, "items": [entry]}).encode(), now=NOON)
    assert (item.traceparent, invalid) == (None, [])


def test_a_time_of_receipt_in_the_future_is_taken_as_now() -> None:
    entry = {"transaction": a_posted_transaction(), "received_at": "2027-01-01T00:00:00Z"}
    [item], _ = decode_envelope(json.dumps({"v": 1, "items": [entry]}).encode(), now=NOON)
    assert item.received_at == NOON


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (None, NOON),
        (NOON - timedelta(hours=1), NOON - timedelta(hours=1)),
        (NOON + timedelta(days=1), NOON),
        (datetime(1, 1, 1, tzinfo=UTC), NOON - LONGEST_ON_ITS_WAY),
    ],
)
def test_a_receipt_lies_neither_ahead_nor_longer_ago_than_a_queue_keeps(
    said: datetime | None, kept: datetime
) -> None:
    assert parse_transaction(a_posted_transaction(), now=NOON, received_at=said).received_at == kept
