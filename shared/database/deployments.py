"""Deployed models in PostgreSQL: which serve now, and which did from when to when; with psycopg alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import psycopg

from shared.domain.deployment import Canary, Deployments, Stage

_LOCK = 0x46534D44
_STAGES = {Stage.CHAMPION: "serving", Stage.CANARY: "canary", Stage.SHADOW: "shadow"}
_NAMED = {name: stage for stage, name in _STAGES.items()}

_RUNNING = """
SELECT model_version, stage, share, salt, by, deployed_at
FROM model_deployments WHERE retired_at IS NULL ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Deployed:
    """One model in service, since when and by whom; `share` (of 10,000) and `salt` are a canary's."""

    model_version: str
    stage: Stage
    share: int | None
    salt: str | None
    by: str | None
    deployed_at: datetime


def running(connection: psycopg.Connection) -> list[Deployed]:
    """What is in service, in the order of deployment; raises psycopg.Error."""
    rows = connection.execute(_RUNNING)
    return [Deployed(version, _NAMED[stage], *others) for version, stage, *others in rows]


def read_deployments(connection: psycopg.Connection) -> Deployments:
    """The versions in service, in one query; raises psycopg.Error."""
    rows = running(connection)
    champions = [row.model_version for row in rows if row.stage is Stage.CHAMPION]
    canaries = [row for row in rows if row.stage is Stage.CANARY]
    return Deployments(
        champion=champions[-1] if champions else None,
        canary=_canary(canaries[-1]) if canaries else None,
        shadows=tuple(row.model_version for row in rows if row.stage is Stage.SHADOW),
    )


def deploy(
    connection: psycopg.Connection,
    model_version: str,
    stage: Stage,
    *,
    manifest: str,
    by: str,
    share: int | None = None,
) -> None:
    """Put a model (its manifest as JSON) into service from now on; raises psycopg.Error.

    It leaves any other stage. There is one champion and one canary: those before retire. A canary that is given
    another share keeps its salt, and with it its accounts.
    """
    with _in_turn(connection):
        salt = _salt(connection, model_version) if stage is Stage.CANARY else None
        replaced = None if stage is Stage.SHADOW else _STAGES[stage]
        _retire(connection, "model_version = %s OR stage = %s", model_version, replaced)
        connection.execute(
            "INSERT INTO model_deployments (model_version, stage, manifest, by, share, salt)"
            " VALUES (%s, %s, %s::jsonb, %s, %s, %s)",
            [model_version, _STAGES[stage], manifest, by, share, salt],
        )


def withdraw(connection: psycopg.Connection, model_version: str) -> bool:
    """Take a canary or shadow out of service; False where it is neither. Raises psycopg.Error."""
    with _in_turn(connection):
        return _retire(connection, "model_version = %s AND stage <> 'serving'", model_version) > 0


def retire_champion(connection: psycopg.Connection) -> None:
    """Leave the decisions to the model that score was started with; raises psycopg.Error."""
    with _in_turn(connection):
        _retire(connection, "stage = 'serving'")


def champion_before(connection: psycopg.Connection) -> str | None:
    """The version that was champion before what serves now; None where that was none. Raises psycopg.Error."""
    row = connection.execute(
        "SELECT model_version FROM model_deployments WHERE stage = 'serving' AND retired_at = coalesce("
        " (SELECT max(deployed_at) FROM model_deployments WHERE stage = 'serving' AND retired_at IS NULL),"
        " (SELECT max(retired_at) FROM model_deployments WHERE stage = 'serving'))"
    ).fetchone()
    return None if row is None else str(row[0])


@contextmanager
def _in_turn(connection: psycopg.Connection) -> Iterator[None]:
    """One transaction; two commands at once take turns."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        yield


def _retire(connection: psycopg.Connection, chosen: str, *values: str | None) -> int:
    statement = f"UPDATE model_deployments SET retired_at = now() WHERE retired_at IS NULL AND ({chosen})"  # noqa: S608
    return connection.execute(statement.encode(), values).rowcount


def _salt(connection: psycopg.Connection, model_version: str) -> str:
    row = connection.execute(
        "SELECT salt FROM model_deployments WHERE model_version = %s AND stage = 'canary'"
        " ORDER BY id DESC LIMIT 1",
        [model_version],
    ).fetchone()
    return row[0] if row else uuid4().hex


def _canary(row: Deployed) -> Canary:
    return Canary(row.model_version, row.share or 0, row.salt or "")
