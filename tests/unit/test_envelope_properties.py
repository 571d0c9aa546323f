"""Whatever stands in the queue: each item is scored or rejected, never both, and nothing undeclared is raised."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from functions.score.decode import decode
from shared.domain.errors import NewerEnvelope, UnreadableEnvelope
from shared.messages.envelope import MAX_ITEMS, InvalidItem, decode_envelope, encode_envelopes
from shared.messages.transaction_errors import InvalidTransaction
from shared.messages.transaction_in import Item, parse_transaction
from tests.builders import a_posted_transaction
from tests.envelopes import ANY_ITEM, ANY_JSON, an_envelope_of, damaged, valid_transactions
from tests.scoring import NOW, Bench

Decoded = tuple[list[Item], list[InvalidItem]]
NEIGHBOURS = ("before", "after")


def decoded(body: bytes) -> Decoded | None:
    """Items, or None where the whole is no envelope of ours; every other error passes."""
    try:
        return decode_envelope(body, now=NOW)
    except (UnreadableEnvelope, NewerEnvelope):
        return None


def a_good_item(name: str) -> dict[str, Any]:
    return {"transaction": a_posted_transaction(transaction_id=name)}


def ids(items: Sequence[Item]) -> list[str]:
    return [item.transaction.transaction_id for item in items]


def accepted(posted: Sequence[dict[str, Any]]) -> list[Item]:
    """Valid ones as the HTTP door takes them, which refuses those that hold a card number by chance."""
    items, codes = [], set()
    for each in posted:
        try:
            items.append(parse_transaction(each, now=NOW))
        except InvalidTransaction as error:
            codes.add(error.errors[0].code)
    assert codes <= {"card_data"}
    return items


def between_neighbours(items: list[Any]) -> list[Any]:
    first, last = map(a_good_item, NEIGHBOURS)
    return [first, *items, last]


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda noise: b'{"v":1,"items":[' + noise + b"]}"))
def test_bytes_are_items_or_no_envelope(body: bytes) -> None:
    read = decoded(body)
    assert read is None or 1 <= len(read[0]) + len(read[1]) <= MAX_ITEMS


@given(ANY_JSON, ANY_JSON)
def test_whatever_the_version_and_the_items_are_it_is_an_envelope_or_not(version: object, items: object) -> None:
    outcome = Bench().score(json.dumps({"v": version, "items": items}).encode())
    assert len(outcome.newer) + len(outcome.poison) == 1


@given(st.lists(ANY_ITEM, max_size=5), st.booleans())
def test_no_item_is_lost_or_doubled_and_good_ones_survive_their_neighbours(
    items: list[Any], ascii_only: bool
) -> None:
    read = decoded(an_envelope_of(between_neighbours(items), ascii_only=ascii_only))
    if read is None:
        assert not ascii_only
        return
    valid, invalid = read
    assert len(valid) + len(invalid) == len(items) + 2
    assert [ids(valid)[0], ids(valid)[-1]] == list(NEIGHBOURS)
    assert all(item.reason and item.detail for item in invalid)


@given(st.data())
def test_a_damaged_byte_costs_its_own_item_or_the_whole_envelope_only(data: st.DataObject) -> None:
    names = [f"t{n}" for n in range(4)]
    texts = [an_envelope_of([a_good_item(name)])[20:-2] for name in names]
    hurt = data.draw(st.integers(0, 3))
    texts[hurt] = damaged(data, texts[hurt], 0, len(texts[hurt]))
    read = decoded(b'{"v": 1, "items": [' + b", ".join(texts) + b"]}")
    if read is not None:
        valid, invalid = read
        assert len(valid) + len(invalid) == 4
        assert set(names) - {names[hurt]} <= set(ids(valid))
        assert not set(ids(valid)) & {item.transaction_id for item in invalid}


@given(st.data(), st.lists(valid_transactions(), min_size=1, max_size=3))
def test_a_damaged_byte_anywhere_raises_nothing_undeclared(
    data: st.DataObject, posted: list[dict[str, Any]]
) -> None:
    whole = an_envelope_of([{"transaction": each} for each in posted])
    read = decoded(damaged(data, whole, 0, len(whole)))
    assert read is None or 1 <= len(read[0]) + len(read[1]) <= MAX_ITEMS


@given(st.lists(valid_transactions(), min_size=1, max_size=5))
def test_what_was_accepted_comes_out_of_its_envelope_as_it_went_in(posted: list[dict[str, Any]]) -> None:
    items = accepted(posted)
    envelopes = list(encode_envelopes(items))
    assert [item for _, packed in envelopes for item in packed] == items
    assert [decode_envelope(body, now=NOW) for body, _ in envelopes] == [(packed, []) for _, packed in envelopes]


@given(st.integers(0, 10), st.integers(0, 10), st.integers(0, 3))
def test_the_share_of_poison_of_a_message_is_that_of_its_items(good: int, bad: int, failing: int) -> None:
    assume(1 <= good + bad <= MAX_ITEMS)
    items = [a_good_item(f"t{n}") for n in range(good)] + [{"transaction": n} for n in range(bad)]
    [message] = decode([an_envelope_of(items)], now=NOW).read
    failed = message.items[:failing]
    assert message.poison(failed) == (bad + len(failed)) / (good + bad)


@given(st.lists(st.lists(ANY_ITEM, min_size=1, max_size=4) | st.binary(max_size=20), min_size=1, max_size=4))
def test_a_batch_of_anything_is_recorded_or_quarantined_and_raises_nothing(
    messages: list[list[Any] | bytes],
) -> None:
    bench = Bench()
    outcome = bench.score(*(each if isinstance(each, bytes) else an_envelope_of(each) for each in messages))
    pieces = sum(1 if isinstance(each, bytes) else len(each) for each in messages)
    assert len(outcome.books.scored) + len(outcome.books.rejected) == pieces
    assert set(ids([each.item for each in outcome.books.scored])) == set(bench.recorder.recorded)
    kept = sum(each.times for each in bench.recorder.rejected.values())
    assert kept == len(outcome.books.rejected) + len(outcome.books.conflicts)
    assert all(0 <= share <= 1 for share in outcome.poison)
