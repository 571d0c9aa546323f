"""The signals of a day from the recorded transactions and labels: sums in SQL, the domain's formulas over them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg

from shared.database.counting_labels import COUNTING
from shared.domain.features import FEWEST_PRICES
from shared.domain.labels import PRESUMED_AFTER
from shared.domain.price_levels import UNITS_PER_DOLLAR
from shared.domain.signals import (
    PRICED,
    FraudShare,
    LabelCounts,
    PriceLevel,
    Signals,
    fraud_shares,
    price_level,
    usual_share,
)

MOST = 20_000
"""Merchants, and categories, in a snapshot: those with the most transactions, and with the most frauds."""

# Sums of numerics do not depend on the order in which PostgreSQL comes across the rows.
_PRICES = f"""
WITH sums AS (
    SELECT grouping(merchant_id) AS is_category, coalesce(merchant_id, merchant_category) AS key, count(*) AS n,
        sum(amount::numeric) AS total, sum((amount * amount)::numeric) AS squares
    FROM (
        SELECT merchant_id, merchant_category, ln(amount::float8 / coalesce(per_dollar, 1)) AS amount
        FROM transactions
        LEFT JOIN unnest(%(currencies)s::text[], %(units)s::float8[]) AS u(currency, per_dollar) USING (currency)
        WHERE "timestamp" >= %(priced_since)s AND "timestamp" < %(before)s
    ) AS in_dollars
    GROUP BY GROUPING SETS ((merchant_id), (merchant_category)) HAVING count(*) >= {FEWEST_PRICES}
)
SELECT is_category, key, n, total::float8, squares::float8
FROM (
    SELECT *, row_number() OVER (PARTITION BY is_category ORDER BY n DESC, key) AS place FROM sums
    WHERE key IS NOT NULL
) AS ranked
WHERE place <= {MOST}
"""  # noqa: S608 - numbers of ours

# A label is of the day on which it became known; what is presumed, of the day from which on it is.
_LABELS = f"""
WITH counting AS MATERIALIZED ({COUNTING}),
labelled AS MATERIALIZED (
    SELECT merchant_id, merchant_category, label = 'fraud' AS is_fraud, known_at >= %(week)s AS of_week
    FROM counting
    JOIN transaction_ids USING (transaction_id)
    JOIN transactions ON transactions.transaction_id = transaction_ids.transaction_id AND "timestamp" = occurred_at
    WHERE label <> 'inconclusive' AND known_at >= %(month)s
),
presumed AS (
    SELECT merchant_id, merchant_category, false, "timestamp" >= %(presumed_week)s
    FROM transactions
    WHERE "timestamp" >= %(presumed_month)s AND "timestamp" < %(presumed_before)s
        AND EXISTS (SELECT FROM labelled)
        AND NOT EXISTS (SELECT FROM counting WHERE counting.transaction_id = transactions.transaction_id)
),
counts AS (
    SELECT grouping(merchant_id, merchant_category) AS level, coalesce(merchant_id, merchant_category) AS key,
        count(*) FILTER (WHERE is_fraud AND of_week) AS week_frauds, count(*) FILTER (WHERE of_week) AS week_count,
        count(*) FILTER (WHERE is_fraud) AS month_frauds, count(*) AS month_count
    FROM (SELECT * FROM labelled UNION ALL SELECT * FROM presumed) AS known
    GROUP BY GROUPING SETS ((merchant_id), (merchant_category), ())
)
SELECT level, key, week_frauds, week_count, month_frauds, month_count
FROM (
    SELECT *, row_number() OVER (PARTITION BY level ORDER BY month_frauds DESC, month_count DESC, key) AS place
    FROM counts WHERE key IS NOT NULL OR level = 3
) AS ranked
WHERE place <= {MOST}
"""  # noqa: S608
_BY_MERCHANT, _BY_CATEGORY, _ALL = 1, 2, 3


@dataclass(frozen=True, slots=True)
class _Prices:
    merchants: Mapping[str, PriceLevel]
    categories: Mapping[str, PriceLevel]


def signals_of(connection: psycopg.Connection, day: date, label_delay: timedelta = timedelta(0)) -> Signals:
    """What was known before this UTC day, each label so much later than it says; its version is the day.

    `connection`'s time zone must be UTC. Merchants and categories beyond MOST, and prices of those with fewer than
    FEWEST_PRICES transactions, are left out. Raises psycopg.Error.
    """
    before = datetime(day.year, day.month, day.day, tzinfo=UTC)
    prices = _prices(connection, before)
    counts = _label_counts(connection, before, label_delay)
    usual = usual_share(counts[_ALL].get("", LabelCounts()))
    return Signals(
        version=day.isoformat(),
        category_prices=prices.categories,
        merchant_prices=prices.merchants,
        merchant_risk=_shares(counts[_BY_MERCHANT], usual),
        category_risk=_shares(counts[_BY_CATEGORY], usual),
        usual=usual,
    )


def _shares(counts: Mapping[str, LabelCounts], usual: FraudShare | None) -> Mapping[str, FraudShare]:
    return {} if usual is None else fraud_shares(counts, usual)


def _prices(connection: psycopg.Connection, before: datetime) -> _Prices:
    units = {"currencies": [*UNITS_PER_DOLLAR], "units": [float(each) for each in UNITS_PER_DOLLAR.values()]}
    rows = connection.execute(_PRICES, units | {"priced_since": before - PRICED, "before": before}).fetchall()
    by_kind: dict[int, dict[str, PriceLevel]] = {0: {}, 1: {}}
    for is_category, key, *sums in rows:
        by_kind[is_category][key] = price_level(*sums)
    return _Prices(merchants=by_kind[0], categories=by_kind[1])


def _label_counts(
    connection: psycopg.Connection, before: datetime, label_delay: timedelta
) -> dict[int, dict[str, LabelCounts]]:
    week, month = timedelta(days=7), timedelta(days=30)
    known, presumed = before - label_delay, before - PRESUMED_AFTER
    times: dict[str, Any] = {
        "known_before": known, "week": known - week, "month": known - month,
        "presumed_before": presumed, "presumed_week": presumed - week, "presumed_month": presumed - month,
    }  # fmt: skip
    counts: dict[int, dict[str, LabelCounts]] = {_BY_MERCHANT: {}, _BY_CATEGORY: {}, _ALL: {}}
    for level, key, *numbers in connection.execute(_LABELS, times):
        counts[level][key or ""] = LabelCounts(*numbers)
    return counts
