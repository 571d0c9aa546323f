"""An envelope as the first version published it is read for ever as what it was."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from shared.domain.transaction import Place
from shared.messages.envelope import decode_envelope
from tests.scoring import Bench

GOLDEN = (Path(__file__).parents[1] / "data" / "envelope_v1.json").read_bytes()
RECEIVED_AT = datetime(2026, 1, 15, 12, 0, 1, 250_000, UTC)


def test_every_item_is_what_was_posted() -> None:
    [full, least], invalid = decode_envelope(GOLDEN, now=RECEIVED_AT)

    assert invalid == []
    transaction = full.transaction
    assert (transaction.transaction_id, transaction.amount, transaction.currency) == (
        "golden-1", Decimal("9999.99"), "USD",
    )  # fmt: skip
    assert transaction.occurred_at == datetime(2026, 1, 15, 12, 0, 0, 500_000, UTC)
    assert transaction.place == Place(1.3521, 103.8198)
    assert transaction.home == Place(40.7128, -74.006)
    assert full.traceparent == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert (least.transaction.amount, least.transaction.currency) == (Decimal(25), "JPY")
    assert (full.received_at, least.received_at) == (RECEIVED_AT, RECEIVED_AT)


def test_its_contents_keep_their_hashes() -> None:
    """With another hash, what one version recorded would be an id conflict when another gets it again."""
    items, _ = decode_envelope(GOLDEN, now=RECEIVED_AT)

    assert [item.content_hash.hex() for item in items] == [
        "23ac6050c89e16248f858bcaea2ce25fc7c2e567c9f6221ccfd181490aa35418",
        "58990ab9259163258ee6a5345302eed527105f22023e25c6529021dacf346026",
    ]


def test_it_is_scored() -> None:
    bench = Bench()
    bench.score(GOLDEN)

    assert set(bench.recorder.recorded) == {"golden-1", "golden-2"}
    assert bench.rejections == {}
