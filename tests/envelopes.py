"""Envelopes of every kind for property tests: anything at all, valid ones, and valid ones that were damaged."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from shared.domain.currencies import CURRENCIES
from shared.messages.transaction_in import TransactionIn
from tests.builders import a_posted_transaction

ANY_TEXT = st.text(st.characters(codec=None), max_size=12)
"""NUL characters and lone surrogates included."""

_leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**300, 10**400, -(2**1023), 1e308, -0.0, 4111111111111111, "\x00", "\ud800"])
    | st.floats()
    | ANY_TEXT
)
ANY_JSON = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4), max_leaves=8
)
"""What Python's parser takes for JSON: NaN, Infinity and numbers of any size too."""

_TIMES = ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-02-30T00:00:00Z"]
_AMOUNTS = ["0", "-0.0", "1e3", "1E+999", "999999999999.9999", "999999999999.99999", "1000000000000", "NaN", "٣"]
_hard = {"timestamp": st.sampled_from(_TIMES), "amount": st.sampled_from([*_AMOUNTS, 0.1, 1e12, 5e-324])}


def _changed_by(changes: dict[str, Any]) -> dict[str, Any]:
    return {"transaction": a_posted_transaction() | changes}


_changes = st.fixed_dictionaries(
    {}, optional={name: _hard.get(name, ANY_JSON) | ANY_JSON for name in TransactionIn.model_fields}
)
_unknown_fields = st.dictionaries(ANY_TEXT, ANY_JSON, max_size=2)
ANY_ITEM = (
    ANY_JSON | st.fixed_dictionaries({"transaction": ANY_JSON}) | (_changes | _unknown_fields).map(_changed_by)
)
"""An item that is nearly right, or anything else."""

_name = st.from_regex(r"[A-Za-z][A-Za-z0-9._:@+-]{0,63}", fullmatch=True)
_text = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_characters="\x7f"), min_size=1, max_size=64
)
_zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_time = st.datetimes(datetime(1, 1, 3), datetime(2026, 1, 13), timezones=_zones).map(datetime.isoformat)  # noqa: DTZ001
_storable = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
_unknown = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | _storable,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_storable, inner, max_size=3),
    max_leaves=6,
)
_place = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@st.composite
def valid_transactions(draw: st.DrawFn) -> dict[str, Any]:
    """As posted, with optional and unknown fields; some hold by chance what looks like card data."""
    posted = {
        "transaction_id": draw(_name),
        "account_id": draw(_name),
        "merchant_id": draw(_name),
        "amount": str(draw(st.decimals("0.0001", "999999999999.9999", places=4))),
        "currency": draw(st.sampled_from(sorted(CURRENCIES))),
        "timestamp": draw(_time),
    }
    posted |= draw(
        st.fixed_dictionaries({}, optional=dict.fromkeys(("channel", "device_id", "ip_address"), _text))
    )
    if draw(st.booleans()):
        posted["geo_lat"], posted["geo_lon"] = draw(_place)
    unknown: dict[str, Any] = draw(st.dictionaries(_storable, _unknown, max_size=3))
    return unknown | posted


def an_envelope_of(items: Sequence[object], *, ascii_only: bool = True) -> bytes:
    """The envelope's bytes; without `ascii_only` half surrogates make it no UTF-8."""
    return json.dumps({"v": 1, "items": items}, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


def damaged(data: st.DataObject, whole: bytes, start: int, end: int) -> bytes:
    """One byte between `start` and `end` flipped, deleted, or another put before it."""
    at, byte = data.draw(st.integers(start, end - 1)), data.draw(st.binary(min_size=1, max_size=1))
    kept_from, inserted = data.draw(st.sampled_from([(at + 1, byte), (at + 1, b""), (at, byte)]))
    return whole[:at] + inserted + whole[kept_from:]
