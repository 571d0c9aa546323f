"""Tokens of Microsoft Entra, which stand for the password where a URL's scheme ends in `+entra`."""

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from shared.domain.errors import FraudSenseError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

SUFFIX = "+entra"
POSTGRES = "https://ossrdbms-aad.database.windows.net/.default"
REDIS = "https://redis.azure.com/.default"

CONNECTING, ANSWERING = timedelta(seconds=1), timedelta(seconds=1)
SIGNING_IN = CONNECTING + ANSWERING
"""How long workload identity makes a connection wait; a signed-in developer's own programs take what they take."""

Tokens = Callable[[str], str]
"""A token for a scope."""


class NoToken(FraudSenseError):
    """The identity provider gave no token."""


def token(scope: str) -> str:
    """A token that is valid now, of the workload's identity or of a signed-in developer.

    It is kept until it ends, and from five minutes before that renewed where the provider answers. Raises NoToken.
    """
    from azure.core.exceptions import AzureError  # noqa: PLC0415 - slow to load, and seldom needed

    try:
        return _identity().get_token(scope).token
    except AzureError as error:
        raise NoToken(f"The identity provider gave no token for {scope}: {error}") from error


def without_entra(url: str) -> str | None:
    """The URL with its ordinary scheme, or None where it does not ask for tokens."""
    parts = urlsplit(url)
    if not parts.scheme.endswith(SUFFIX):
        return None
    return urlunsplit(parts._replace(scheme=parts.scheme.removesuffix(SUFFIX)))


@cache  # tokens are kept in it
def _identity() -> "TokenCredential":
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - as above

    return DefaultAzureCredential(
        retry_total=0,
        connection_timeout=CONNECTING.total_seconds(),
        read_timeout=ANSWERING.total_seconds(),
    )
