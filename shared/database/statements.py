"""The scorer's SQL. A batch travels as one binary array per column, which costs least on both sides."""

from typing import Any

from shared.database.rows import ALERT, ALERT_READ, CONTENT, DECISION, REJECTION, SHADOW, TRANSACTION, Columns

ALERT_LOCK = 0x46535F41


def _names(columns: Columns[Any]) -> str:
    return ", ".join(column.name for column in columns)


def _unnest(columns: Columns[Any]) -> str:
    """`unnest(...)` of one array parameter per column, as a table `b` numbered by `n`."""
    parameters = ", ".join(f"%b::{column.type}[]" for column in columns)
    return f"unnest({parameters}) WITH ORDINALITY AS b({_names(columns)}, n)"


def _jsonb(columns: Columns[Any], *names: str) -> str:
    """The columns to select; `names` are JSON that travelled as text."""
    return ", ".join(f"{column.name}::jsonb" if column.name in names else column.name for column in columns)


RECORD = f"""
WITH batch AS MATERIALIZED (SELECT * FROM {_unnest([*TRANSACTION, *DECISION, *CONTENT])}),
gated AS (
    INSERT INTO transaction_ids (transaction_id, occurred_at, content_hash)
    SELECT transaction_id, "timestamp", content_hash FROM batch ORDER BY n
    ON CONFLICT DO NOTHING RETURNING transaction_id
),
stored AS (
    INSERT INTO transactions ({_names(TRANSACTION)})
    SELECT {_jsonb(TRANSACTION, "raw_payload")} FROM batch JOIN gated USING (transaction_id)
),
decided AS (
    INSERT INTO scores (transaction_id, {_names(DECISION)})
    SELECT transaction_id, {_jsonb(DECISION, "reasons")} FROM batch JOIN gated USING (transaction_id)
)
SELECT transaction_id FROM gated
"""  # noqa: S608 - names come from the column tables

RECORDED = "SELECT transaction_id, content_hash FROM transaction_ids WHERE transaction_id = ANY(%b)"

REJECT = f"""
INSERT INTO rejected_messages ({_names(REJECTION)})
SELECT {_names(REJECTION)} FROM {_unnest(REJECTION)} ORDER BY n
ON CONFLICT (digest) DO UPDATE SET times = rejected_messages.times + excluded.times, last_seen = now()
"""  # noqa: S608

SHADOWS = f"""
INSERT INTO shadow_scores ({_names(SHADOW)})
SELECT {_jsonb(SHADOW, "reasons")} FROM {_unnest(SHADOW)} ORDER BY n ON CONFLICT DO NOTHING
"""  # noqa: S608

LOCK_ALERTS = f"SELECT pg_advisory_xact_lock({ALERT_LOCK})"
"""Held until commit by whoever raises alerts, so that the order of `seq` is the order of commits."""

RAISE_ALERTS = f"""
INSERT INTO alerts ({_names(ALERT)}, created_at)
SELECT {_jsonb(ALERT, "reason")}, clock_timestamp() FROM {_unnest(ALERT)} ORDER BY n
"""  # noqa: S608

# Every column by its name: a migration that adds one would change what a prepared `*` answers.
UNANNOUNCED = f"""
SELECT {", ".join(ALERT_READ)} FROM alerts
WHERE transaction_id = ANY(%b) AND announced_at IS NULL ORDER BY seq
"""  # noqa: S608

MARK_ANNOUNCED = """
UPDATE alerts SET announced_at = %s WHERE id IN (
    SELECT id FROM alerts WHERE id = ANY(%s) AND announced_at IS NULL ORDER BY seq FOR UPDATE
)
"""
