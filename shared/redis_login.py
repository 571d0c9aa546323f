"""How a connection to Redis proves whose it is: by its URL's password, or by a token as the password."""

import asyncio
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from redis.credentials import CredentialProvider
from redis.exceptions import ConnectionError as RedisAway

from shared import entra


class _Identity(CredentialProvider):
    """Asked for each new connection; Redis closes those whose token has ended."""

    def __init__(self, user: str, tokens: entra.Tokens) -> None:
        self._user, self._tokens = user, tokens

    def get_credentials(self) -> tuple[str, str]:
        """The identity's object id and a token; raises redis.ConnectionError where there is none."""
        try:
            return self._user, self._tokens(entra.REDIS)
        except entra.NoToken as error:
            raise RedisAway(str(error)) from error

    async def get_credentials_async(self) -> tuple[str, str]:
        """The same without holding up the event loop."""
        return await asyncio.to_thread(self.get_credentials)


def login(url: str, tokens: entra.Tokens = entra.token) -> dict[str, Any]:
    """The arguments `url` and, for scheme rediss+entra, `credential_provider` of redis-py's `from_url`.

    The user of such a URL is the identity's object id.
    """
    ordinary = entra.without_entra(url)
    if ordinary is None:
        return {"url": url}
    parts = urlsplit(ordinary)
    _, _, place = parts.netloc.rpartition("@")
    return {
        "url": urlunsplit(parts._replace(netloc=place)),
        "credential_provider": _Identity(parts.username or "", tokens),
    }
