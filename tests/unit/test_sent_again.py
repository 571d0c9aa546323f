"""What a quarantined message becomes when it is sent again, and which are better not."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.books import ID_CONFLICT, SCORING_FAILED, UNREADABLE, UNRECORDABLE
from shared.domain.decision import RejectedMessage
from shared.domain.quarantine import may_be_masked, without_card_data
from shared.messages.envelope import decode_envelope
from shared.messages.sent_again import envelope_of, why_not
from tests.builders import NOON, a_posted_transaction
from tests.scoring import Bench, an_envelope

CARD = "4111 1111 1111 1111"


def kept_by(bench: Bench) -> RejectedMessage:
    [kept] = bench.recorder.rejected.values()
    return kept.message


def sent_again(message: RejectedMessage) -> bytes:
    return envelope_of(message.reason, message.body, NOON)


def test_an_unreadable_message_is_sent_as_it_came() -> None:
    assert envelope_of(UNREADABLE, b"\xff rubbish", NOON) == b"\xff rubbish"


def test_an_item_is_sent_in_an_envelope_of_its_own() -> None:
    bench = Bench()
    posted = a_posted_transaction(currency="XXQ")
    bench.score(json.dumps({"v": 1, "items": [{"transaction": posted, "traceparent": "kept"}]}).encode())

    envelope = json.loads(sent_again(kept_by(bench)))

    assert envelope == {"v": 1, "items": [{"transaction": posted, "traceparent": "kept"}]}


@pytest.mark.parametrize("reason", [SCORING_FAILED, UNRECORDABLE, ID_CONFLICT])
def test_a_transaction_kept_alone_becomes_an_item_that_was_received_then(reason: str) -> None:
    payload = json.dumps(a_posted_transaction()).encode()

    [item], invalid = decode_envelope(envelope_of(reason, payload, NOON), now=NOON + timedelta(days=1))

    assert (item.transaction.transaction_id, item.received_at, invalid) == ("txn-1", NOON, [])


def test_what_the_scorer_broke_on_is_readable_when_it_is_sent_again() -> None:
    bench = Bench()
    bench.scorer.breaks_on = ("txn-1",)
    bench.score(an_envelope())

    items, invalid = decode_envelope(sent_again(kept_by(bench)), now=datetime.now(UTC))

    assert ([item.transaction.transaction_id for item in items], invalid) == (["txn-1"], [])


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"note": CARD}).encode(),
        json.dumps({"cvv": "123"}).encode(),
        json.dumps({"n": 4111111111111111}).encode(),
        f"plain text {CARD}".encode(),
        b"pin=1234 in what is no JSON",
    ],
)
def test_masked_bytes_are_recognised_and_not_sent_again(body: bytes) -> None:
    kept = without_card_data(body)

    assert kept != body
    assert may_be_masked(kept)
    assert "masked" in why_not(UNREADABLE, kept)


def test_what_was_never_masked_is_sent_again() -> None:
    body = json.dumps(a_posted_transaction(note="5 * 3 ** 2")).encode()

    assert not may_be_masked(body)
    assert why_not(SCORING_FAILED, body) == ""


def test_card_data_and_conflicting_ids_are_left_with_a_reason() -> None:
    assert "masked" in why_not("card_data", b"{}")
    assert "id" in why_not(ID_CONFLICT, b"{}")
