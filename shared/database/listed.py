"""The block and trust lists as the scorer reads them, with psycopg alone."""

import psycopg
from psycopg.rows import TupleRow

from shared.domain.lists import Listed, ListedKind, Lists, Verdict

_LISTED = """
SELECT kind, value, verdict, by, expires_at, note FROM listed WHERE expires_at IS NULL OR expires_at > now()
"""


def read_lists(connection: psycopg.Connection[TupleRow]) -> Lists:
    """What is listed and has not expired, in one query; raises psycopg.Error.

    The connection's time zone must be UTC.
    """
    rows = connection.execute(_LISTED)
    return Lists.of(
        Listed(ListedKind(kind), value, Verdict(verdict), by, expires_at, note)
        for kind, value, verdict, by, expires_at, note in rows
    )
