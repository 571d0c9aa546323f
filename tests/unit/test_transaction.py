"""The transaction value: what it refuses, distances, minor units."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.transaction import Place
from tests.builders import NOON, a_transaction

LONDON, NEW_YORK = Place(51.5074, -0.1278), Place(40.7128, -74.006)
places = st.builds(Place, st.floats(-90, 90), st.floats(-180, 180))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"occurred_at": NOON.replace(tzinfo=None)}, "aware and in UTC"),
        ({"occurred_at": NOON.astimezone(timezone(timedelta(hours=2)))}, "aware and in UTC"),
        ({"amount": Decimal(0)}, "positive"),
        ({"amount": Decimal("-0.01")}, "positive"),
        ({"currency": "usd"}, "unknown currency"),
        ({"currency": "XXX"}, "unknown currency"),
    ],
)
def test_an_impossible_transaction_cannot_be_made(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        a_transaction(**change)


def test_any_zone_without_offset_is_utc() -> None:
    moment = datetime(2026, 1, 1, tzinfo=timezone(timedelta(0)))

    assert a_transaction(occurred_at=moment).occurred_at == moment.astimezone(UTC)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("12.34", "USD", 1234), ("12", "JPY", 12), ("1.234", "KWD", 1234), ("0.001", "USD", 0)],
)
def test_the_amount_in_minor_units_follows_the_currency(amount: str, currency: str, minor: int) -> None:
    assert a_transaction(amount=Decimal(amount), currency=currency).amount_minor == minor


@pytest.mark.parametrize("coordinates", [(90.1, 0), (-90.1, 0), (0, 180.1), (0, -180.1), (float("nan"), 0)])
def test_there_are_no_places_off_the_globe(coordinates: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="no such place"):
        Place(*coordinates)


def test_london_to_new_york_is_5570_km() -> None:
    assert LONDON.distance_km(NEW_YORK) == pytest.approx(5570, abs=5)


def test_antipodes_are_half_the_circumference_apart() -> None:
    assert Place(0, 0).distance_km(Place(0, 180)) == pytest.approx(20015.1, abs=0.1)


@given(places, places)
def test_distance_is_symmetric_and_bounded(here: Place, there: Place) -> None:
    assert here.distance_km(there) == pytest.approx(there.distance_km(here), abs=1e-6)
    assert 0 <= here.distance_km(there) <= 20015.2


@given(places)
def test_a_place_is_no_distance_from_itself(here: Place) -> None:
    assert here.distance_km(here) == pytest.approx(0, abs=1e-6)
