"""Snapshots of signals in PostgreSQL, one per UTC day; the scorer reads the newest with psycopg alone."""

import hashlib
import json
from dataclasses import replace
from datetime import date, timedelta

import psycopg

from shared.domain.signals import Signals
from shared.messages.signals_json import signals_document, signals_from

KEPT = timedelta(days=100)
"""Snapshots so much older than the newest are deleted."""


def newest_version(connection: psycopg.Connection) -> str | None:
    """The version of the newest day's snapshot, None where there is none; raises psycopg.Error."""
    row = connection.execute("SELECT version FROM signal_snapshots ORDER BY day DESC LIMIT 1").fetchone()
    return None if row is None else str(row[0])


def newest_signals(connection: psycopg.Connection) -> Signals | None:
    """The newest day's snapshot, some megabytes at most; None where there is none. Raises psycopg.Error."""
    row = connection.execute("SELECT content FROM signal_snapshots ORDER BY day DESC LIMIT 1").fetchone()
    return None if row is None else signals_from(row[0])


def keep_signals(connection: psycopg.Connection, day: date, signals: Signals) -> tuple[Signals, bool]:
    """Keep a day's signals: they, named by day and digest, and whether that changed anything.

    The same signals of a day again change nothing, others replace them. Old snapshots go. Raises psycopg.Error.
    """
    named = replace(signals, version=f"{day}-{_digest(signals)}")
    content = json.dumps(signals_document(named))
    with connection.transaction():
        written = connection.execute(_KEEP, [day, named.version, content]).rowcount
        connection.execute(_FORGET, [KEPT])
    return named, written == 1


_KEEP = """
INSERT INTO signal_snapshots (day, version, content) VALUES (%s, %s, %s::jsonb)
ON CONFLICT (day) DO UPDATE SET version = excluded.version, content = excluded.content, created_at = now()
WHERE signal_snapshots.version <> excluded.version
"""
_FORGET = "DELETE FROM signal_snapshots WHERE day < (SELECT max(day) FROM signal_snapshots) - %s::interval"


def _digest(signals: Signals) -> str:
    unnamed = replace(signals, version="")
    return hashlib.sha256(json.dumps(signals_document(unnamed)).encode()).hexdigest()[:12]
