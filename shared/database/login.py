"""How a connection to PostgreSQL proves whose it is: by its URL's password, or by a token as the password."""

import os
from collections.abc import Mapping

import certifi
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from shared import entra


def conninfo(url: str, tokens: entra.Tokens = entra.token) -> str:
    """What libpq takes for a URL of scheme postgresql or postgresql+entra.

    With entra the password is a token, and the server must prove whose it is unless the URL or libpq's own
    variables say otherwise. Raises psycopg.OperationalError where there is no token, as for a server that is away.
    """
    ordinary = entra.without_entra(url)
    if ordinary is None:
        return url
    try:
        password = tokens(entra.POSTGRES)
    except entra.NoToken as error:
        raise psycopg.OperationalError(str(error)) from error
    return make_conninfo(ordinary, password=password, **_trust(conninfo_to_dict(ordinary)))


def _trust(named: Mapping[str, object]) -> dict[str, str]:
    """Which servers are believed; the wheel's own OpenSSL looks for the system's authorities in no usual place."""
    mode = named.get("sslmode") or os.environ.get("PGSSLMODE", "verify-full")
    authorities = named.get("sslrootcert") or os.environ.get("PGSSLROOTCERT", certifi.where())
    return {"sslmode": str(mode), "sslrootcert": str(authorities)}
