"""Signals as a JSON document, as model folders and the table of snapshots keep them, and back."""

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

from shared.domain.signals import FraudShare, PriceLevel, Signals

_PRICES, _RISKS = ("category_prices", "merchant_prices"), ("merchant_risk", "category_risk")


def signals_document(signals: Signals) -> dict[str, Any]:
    """Parsed JSON: a price level is [count, log_mean, log_spread], a share of fraud [week, month]."""
    mappings = {name: _rows(getattr(signals, name)) for name in (*_PRICES, *_RISKS)}
    usual = None if signals.usual is None else [*astuple(signals.usual)]
    return {"version": signals.version, "usual": usual} | mappings


def signals_from(document: Mapping[str, Any]) -> Signals:
    """The inverse; raises ValueError, TypeError or KeyError where the document is none of these."""
    prices: dict[str, Any] = {
        name: {key: PriceLevel(*row) for key, row in document[name].items()} for name in _PRICES
    }
    risks: dict[str, Any] = {
        name: {key: FraudShare(*row) for key, row in document[name].items()} for name in _RISKS
    }
    usual = document["usual"]
    return Signals(document["version"], **prices, **risks, usual=None if usual is None else FraudShare(*usual))


def _rows(mapping: Mapping[str, PriceLevel | FraudShare]) -> dict[str, list[float]]:
    return {key: [*astuple(mapping[key])] for key in sorted(mapping)}
