"""Currencies and their minor units."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.currencies import CURRENCIES, major_units, minor_units


def test_codes_are_three_capital_letters() -> None:
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in CURRENCIES)


@pytest.mark.parametrize(
    ("code", "decimals"), [("USD", 2), ("EUR", 2), ("JPY", 0), ("ISK", 0), ("KWD", 3), ("CLF", 4), ("HRK", 2)]
)
def test_well_known_currencies_have_their_decimals(code: str, decimals: int) -> None:
    assert CURRENCIES[code] == decimals


def test_codes_that_are_no_money_are_unknown() -> None:
    assert not {"XXX", "XTS", "XAU", "BTC", "usd"} & set(CURRENCIES)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.345", "USD", 1234),
        ("12.355", "USD", 1236),
        ("12.5", "JPY", 12),
        ("999999999999.9999", "CLF", 10**16 - 1),
    ],
)
def test_minor_units_round_half_to_even(amount: str, currency: str, minor: int) -> None:
    assert minor_units(Decimal(amount), currency) == minor


@given(st.integers(1, 10**14), st.sampled_from(sorted(CURRENCIES)))
def test_major_units_are_the_inverse(minor: int, currency: str) -> None:
    assert minor_units(Decimal(repr(major_units(minor, currency))), currency) == minor
