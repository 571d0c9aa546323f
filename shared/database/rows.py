"""Values as rows and back: the columns that a batch writes, and alerts read from either driver."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Generic, NamedTuple, TypeVar

from shared.domain.alert import Alert, AlertStatus, alert_id_for
from shared.domain.books import Rejection
from shared.domain.decision import Decision, Reason, RiskLabel, ScoredTransaction
from shared.domain.transaction import Place

T = TypeVar("T")


class Column(NamedTuple, Generic[T]):
    """A column of a batch: its name, its PostgreSQL type, and its value for one item."""

    name: str
    type: str
    value: Callable[[T], object]


Columns = Sequence[Column[T]]

TRANSACTION: Columns[ScoredTransaction] = (
    Column("transaction_id", "text", lambda s: s.transaction.transaction_id),
    Column("account_id", "text", lambda s: s.transaction.account_id),
    Column("merchant_id", "text", lambda s: s.transaction.merchant_id),
    Column("amount", "numeric", lambda s: s.transaction.amount),
    Column("currency", "text", lambda s: s.transaction.currency),
    Column('"timestamp"', "timestamptz", lambda s: s.transaction.occurred_at),
    Column("merchant_category", "text", lambda s: s.transaction.merchant_category),
    Column("geo_lat", "float8", lambda s: _lat(s.transaction.place)),
    Column("geo_lon", "float8", lambda s: _lon(s.transaction.place)),
    Column("home_lat", "float8", lambda s: _lat(s.transaction.home)),
    Column("home_lon", "float8", lambda s: _lon(s.transaction.home)),
    Column("channel", "text", lambda s: s.transaction.channel),
    Column("device_id", "text", lambda s: s.transaction.device_id),
    Column("ip_address", "text", lambda s: s.transaction.ip_address),
    Column("raw_payload", "text", lambda s: s.payload.decode()),
    Column("received_at", "timestamptz", lambda s: s.received_at),
)

DECISION: Columns[ScoredTransaction] = (
    Column("model_version", "text", lambda s: s.decision.model_version),
    Column("score", "float8", lambda s: float(s.decision.risk)),
    Column("anomaly", "float8", lambda s: float(s.decision.anomaly)),
    Column("risk_label", "text", lambda s: str(s.decision.label)),
    Column("reasons", "text", lambda s: reasons_json(s.decision.reasons)),
)

SHADOW: Columns[tuple[str, Decision]] = (
    Column("transaction_id", "text", lambda s: s[0]),
    Column("model_version", "text", lambda s: s[1].model_version),
    Column("score", "float8", lambda s: float(s[1].risk)),
    Column("anomaly", "float8", lambda s: float(s[1].anomaly)),
    Column("risk_label", "text", lambda s: str(s[1].label)),
    Column("reasons", "text", lambda s: reasons_json(s[1].reasons)),
)

CONTENT: Columns[ScoredTransaction] = (Column("content_hash", "bytea", lambda s: s.content_hash),)

ALERT: Columns[ScoredTransaction] = (
    Column("id", "uuid", lambda s: alert_id_for(s.transaction.transaction_id)),
    Column("transaction_id", "text", lambda s: s.transaction.transaction_id),
    Column("account_id", "text", lambda s: s.transaction.account_id),
    Column("merchant_id", "text", lambda s: s.transaction.merchant_id),
    Column("amount", "numeric", lambda s: s.transaction.amount),
    Column("currency", "text", lambda s: s.transaction.currency),
    Column("risk", "float8", lambda s: float(s.decision.risk)),
    Column("risk_label", "text", lambda s: str(s.decision.label)),
    Column("reason", "text", lambda s: reasons_json(s.decision.reasons)),
    Column("threshold", "float8", lambda s: float(s.decision.threshold)),
    Column("model_version", "text", lambda s: s.decision.model_version),
    Column("occurred_at", "timestamptz", lambda s: s.transaction.occurred_at),
)

REJECTION: Columns[Rejection] = (
    Column("digest", "bytea", lambda r: r.digest),
    Column("transaction_id", "text", lambda r: r.message.transaction_id),
    Column("reason", "text", lambda r: r.message.reason),
    Column("detail", "text", lambda r: r.message.detail),
    Column("body", "bytea", lambda r: r.message.body),
    Column("times", "int4", lambda r: r.times),
)


def arrays(columns: Columns[T], items: Sequence[T]) -> list[list[object]]:
    """One array per column, for `unnest`: parameters of the statements in `recorder`."""
    return [[column.value(item) for item in items] for column in columns]


def reasons_json(reasons: Sequence[Reason]) -> str:
    """Reasons as a JSON array, in their order."""
    return json.dumps([asdict(reason) for reason in reasons]) if reasons else "[]"


def reasons_from(parsed: Sequence[Mapping[str, str]]) -> tuple[Reason, ...]:
    """The inverse, from parsed JSON."""
    return tuple(Reason(**each) for each in parsed)


def alert_fields(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The fields of `Alert` from a row of `alerts`."""
    return {
        "alert_id": row["id"],
        "reasons": reasons_from(row["reason"]),
        "risk_label": RiskLabel(row["risk_label"]),
        "status": AlertStatus(row["status"]),
        **{name: row[name] for name in _AS_THEY_ARE},
    }


def alert_from(row: Mapping[Any, Any]) -> Alert:
    """An alert from its row."""
    return Alert(**alert_fields(row))


_AS_THEY_ARE = (
    "seq", "transaction_id", "account_id", "merchant_id", "amount", "currency", "risk", "threshold",
    "model_version", "occurred_at", "created_at",
)  # fmt: skip

ALERT_READ = ("id", "reason", "risk_label", "status", *_AS_THEY_ARE)
"""The columns that `alert_fields` needs."""


def _lat(place: Place | None) -> float | None:
    return None if place is None else float(place.lat)


def _lon(place: Place | None) -> float | None:
    return None if place is None else float(place.lon)
