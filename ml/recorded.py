"""Recorded transactions in time order, each with what it is taken for, to train on and to test rules on."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from shared.database.counting_labels import COUNTING
from shared.domain.alert import Disposition
from shared.domain.labels import Label, Outcome, outcome
from shared.domain.transaction import Place, Transaction

PAGE = 5_000

_RECORDED = f"""
SELECT t.transaction_id, t.account_id, t.merchant_id, t.amount, t.currency, t."timestamp" AS occurred_at,
    t.merchant_category, t.geo_lat, t.geo_lon, t.home_lat, t.home_lon, t.channel, t.device_id, t.ip_address,
    counting.source, counting.label, counting.known_at
FROM transactions t LEFT JOIN ({COUNTING}) AS counting USING (transaction_id)
WHERE t."timestamp" >= %(since)s AND t."timestamp" < %(until)s
ORDER BY t."timestamp", t.transaction_id
"""  # noqa: S608 - names of ours


@dataclass(frozen=True, slots=True)
class Recorded:
    """A transaction and its outcome; None where its label is inconclusive."""

    transaction: Transaction
    outcome: Outcome | None


def recorded(
    connection: psycopg.Connection, since: datetime, until: datetime, known_before: datetime
) -> Iterator[Recorded]:
    """Transactions of `since` <= time < `until` by time and id, with the labels known before an instant.

    Streams: a few thousand at a time are in memory. Without a label an outcome is presumed, `outcome.known_at` may
    lie after `known_before` then. The connection's time zone must be UTC. Raises psycopg.Error.
    """
    times = {"since": since, "until": until, "known_before": known_before}
    with connection.transaction(), connection.cursor("recorded", row_factory=dict_row) as cursor:
        cursor.itersize = PAGE
        for row in cursor.execute(_RECORDED, times):
            yield Recorded(_transaction(row), _outcome(row))


def _transaction(row: dict[str, Any]) -> Transaction:
    return Transaction(
        **{name: row[name] for name in _AS_THEY_ARE},
        place=_place(row["geo_lat"], row["geo_lon"]),
        home=_place(row["home_lat"], row["home_lon"]),
    )


_AS_THEY_ARE = (
    "transaction_id", "account_id", "merchant_id", "amount", "currency", "occurred_at", "merchant_category",
    "channel", "device_id", "ip_address",
)  # fmt: skip


def _place(lat: float | None, lon: float | None) -> Place | None:
    return None if lat is None or lon is None else Place(lat, lon)


def _outcome(row: dict[str, Any]) -> Outcome | None:
    if row["label"] is None:
        return outcome(None, row["occurred_at"])
    label = Label(row["transaction_id"], row["source"], Disposition(row["label"]), row["known_at"])
    return outcome(label, row["occurred_at"])
