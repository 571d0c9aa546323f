"""URLs whose scheme ends in +entra: what the drivers are given for them."""

import certifi
import pytest
from psycopg.conninfo import conninfo_to_dict

from shared.database.login import conninfo
from shared.entra import POSTGRES, REDIS
from shared.redis_login import login


def a_token(scope: str) -> str:
    return f"token for {scope}"


def no_token(scope: str) -> str:
    raise AssertionError(scope)


def test_a_token_is_sent_to_postgresql_over_verified_tls_alone() -> None:
    assert conninfo_to_dict(conninfo("postgresql+entra://score@pg:5432/fraudsense", a_token)) == {
        "host": "pg",
        "port": "5432",
        "user": "score",
        "dbname": "fraudsense",
        "password": f"token for {POSTGRES}",
        "sslmode": "verify-full",
        "sslrootcert": certifi.where(),
    }


def test_libpqs_own_variables_name_another_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLROOTCERT", "/etc/ca.pem")
    told = conninfo_to_dict(conninfo("postgresql+entra://score@pg/fraudsense", a_token))
    assert (told["sslmode"], told["sslrootcert"]) == ("verify-full", "/etc/ca.pem")


def test_other_urls_are_left_alone() -> None:
    assert conninfo("postgresql://u:p@pg/d", no_token) == "postgresql://u:p@pg/d"
    assert login("rediss://:p@cache:6380/1", no_token) == {"url": "rediss://:p@cache:6380/1"}


def test_the_user_of_a_redis_url_is_the_identity() -> None:
    given = login("rediss+entra://an-object-id@cache:10000/0", a_token)
    assert given["url"] == "rediss://cache:10000/0"
    assert given["credential_provider"].get_credentials() == ("an-object-id", f"token for {REDIS}")
