"""Quarantined messages that nothing has sent again for long: counted, and deleted in batches."""

from datetime import datetime

import psycopg

BATCH = 1_000


def count_old_rejections(connection: psycopg.Connection, cutoff: datetime) -> int:
    """How many were last seen before `cutoff`."""
    row = connection.execute("SELECT count(*) FROM rejected_messages WHERE last_seen < %s", [cutoff]).fetchone()
    return int(row[0]) if row else 0


def delete_old_rejections(connection: psycopg.Connection, cutoff: datetime) -> int:
    """Delete those last seen before `cutoff`, in the order they came; how many there were."""
    deleted, last = 0, 0
    while batch := _next_batch(connection, cutoff, last):
        # Asked again: the same message may have come since.
        delete = "DELETE FROM rejected_messages WHERE id = ANY(%s) AND last_seen < %s"
        deleted += connection.execute(delete, [batch, cutoff]).rowcount
        last = batch[-1]
    return deleted


def _next_batch(connection: psycopg.Connection, cutoff: datetime, last: int) -> list[int]:
    query = "SELECT id FROM rejected_messages WHERE id > %s AND last_seen < %s ORDER BY id LIMIT %s"
    return [number for (number,) in connection.execute(query, [last, cutoff, BATCH])]
