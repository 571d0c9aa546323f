"""Gives each door's role the least that it needs, for `python -m shared.database migrate --grant`.

With an object id the role is that Microsoft Entra identity's, and is made where it is missing (Azure Database for
PostgreSQL only).
"""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import LiteralString, NamedTuple

import psycopg
from psycopg import errors, sql

from shared.command_line import UserError
from shared.database.connection import CONNECTION_SETTINGS
from shared.database.login import conninfo

PRIVILEGES: Mapping[str, Sequence[LiteralString]] = {
    "ingest": ("SELECT ON transaction_ids, transactions, scores, alerts, rejected_messages",),
    "score": (
        "SELECT, INSERT ON transaction_ids, transactions, scores, shadow_scores, alerts, rejected_messages",
        "UPDATE (announced_at) ON alerts",
        "UPDATE (times, last_seen) ON rejected_messages",
        "USAGE ON SEQUENCE transactions_id_seq, alerts_seq_seq",
        "SELECT ON model_deployments, listed, signal_snapshots",
        "EXECUTE ON FUNCTION make_month",
    ),
    "alerts": (
        "SELECT ON transaction_ids, alerts, alert_events, labels",
        "UPDATE (status, acknowledged_at, closed_at, disposition, announced_at) ON alerts",
        "INSERT ON alert_events",
        "INSERT, UPDATE, DELETE ON labels",
    ),
}

# What a version before granted and this one does not name goes.
_TAKEN: Sequence[LiteralString] = (
    "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}",
    "REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {}",
    "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM {}",
)

_SETTINGS = CONNECTION_SETTINGS | {"autocommit": True}

_CREATE_PRINCIPAL = "SELECT pgaadauth_create_principal_with_oid(%s, %s, 'service', false, false)"


class Grantee(NamedTuple):
    """Which role a door logs in as; with an object id, the role of that Entra identity."""

    door: str
    role: str
    object_id: str = ""


def create_principals(connection: psycopg.Connection, grantees: Iterable[Grantee]) -> None:
    """Make the missing roles of Entra identities. Raises psycopg.Error.

    The connection is to the database `postgres`, the only one where Azure has the function.
    """
    for _, role, object_id in grantees:
        present = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).rowcount
        if object_id and not present:
            connection.execute(_CREATE_PRINCIPAL, [role, object_id])


def grant(connection: psycopg.Connection, grantees: Iterable[Grantee]) -> None:
    """Give each role its door's privileges and take all others, at once. Raises psycopg.Error."""
    with connection.transaction():
        for door, role, _ in grantees:
            name = sql.Identifier(role)
            for statement in _TAKEN:
                connection.execute(sql.SQL(statement).format(name))
            for privilege in PRIVILEGES[door]:
                connection.execute(sql.SQL("GRANT {} TO {}").format(sql.SQL(privilege), name))


def grantee(text: str) -> Grantee:
    """DOOR=ROLE or DOOR=ROLE/OBJECT_ID. Raises argparse.ArgumentTypeError."""
    door, _, login = text.partition("=")
    role, _, object_id = login.partition("/")
    if door not in PRIVILEGES or not role:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not DOOR=ROLE[/OBJECT_ID] with one of the doors {', '.join(PRIVILEGES)}"
        )
    return Grantee(door, role, object_id)


def grant_on(url: str, grantees: Sequence[Grantee]) -> None:
    """Make roles and grant, as the owner of the tables; raises UserError where something must be mended first."""
    try:
        if any(each.object_id for each in grantees):
            with psycopg.connect(conninfo(url), **_SETTINGS | {"dbname": "postgres"}) as connection:
                create_principals(connection, grantees)
        with psycopg.connect(conninfo(url), **_SETTINGS) as connection:
            grant(connection, grantees)
    except psycopg.Error as error:
        raise UserError(f"{error}\n{_what_to_do(error)}") from error


def _what_to_do(error: psycopg.Error) -> str:
    if isinstance(error, errors.UndefinedFunction):
        return "Name object ids on Azure only."
    if isinstance(error, errors.UndefinedObject):
        return "Create the role first, or name the object id of its Entra identity."
    return "Mend that, and run it again."
