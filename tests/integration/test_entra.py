"""Logins with tokens: the identity library against a double of its provider, real Redis and PostgreSQL."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from urllib.parse import urlsplit

import pytest
import redis

from shared import entra
from shared.redis_login import login
from tests.conftest import Services
from tests.identity_provider import ASSERTION, CLIENT_ID, IdentityProvider, identity_provider

USER = "33333333-3333-3333-3333-333333333333"


@pytest.fixture
def provider(tmp_path: Path, services: Services) -> Iterator[IdentityProvider]:
    """Its token is the password that PostgreSQL asks for, if it asks for one."""
    with identity_provider(tmp_path) as listening:
        listening.token = urlsplit(services.database).password or listening.token
        yield listening


@pytest.fixture
def identity_redis(redis_url: str, provider: IdentityProvider) -> Iterator[str]:
    """Redis where the identity's user logs in with its token; the URL asks for that."""
    with redis.Redis.from_url(redis_url) as admin:
        admin.execute_command("ACL", "SETUSER", USER, "reset", "on", f">{provider.token}", "~*", "&*", "+@all")
        yield f"redis+entra://{USER}@{redis_url.rpartition('@')[2].removeprefix('redis://')}"
        admin.execute_command("ACL", "DELUSER", USER)


def answer(provider: IdentityProvider, program: str, **values: object) -> object:
    """What a fresh process of this workload prints as JSON; `values` are its variables."""
    given = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    finished = subprocess.run(
        [sys.executable, "-c", f"import json\n{given}\n{dedent(program)}"],
        env=os.environ | provider.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


def test_a_workload_logs_in_to_redis_with_its_token(provider: IdentityProvider, identity_redis: str) -> None:
    said = answer(
        provider,
        """
        from shared.feature_store.redis_history import connect
        print(json.dumps(connect(url).execute_command("ACL", "WHOAMI").decode()))
        """,
        url=identity_redis,
    )
    assert said == USER
    assert [(each["client_id"], each["scope"], each["client_assertion"]) for each in provider.asked] == [
        (CLIENT_ID, entra.REDIS, ASSERTION)
    ]


def test_a_workload_gives_postgresql_its_token_as_the_password(
    provider: IdentityProvider, database_url: str
) -> None:
    said = answer(
        provider,
        """
        from shared.database.connection import open_connection
        print(json.dumps(open_connection(url).info.password))
        """,
        url=asking_for_tokens(database_url),
    )
    assert said == provider.token
    assert [each["scope"] for each in provider.asked] == [entra.POSTGRES]


def test_a_token_is_kept_until_it_ends(provider: IdentityProvider) -> None:
    said = answer(provider, "from shared import entra\nprint(json.dumps([entra.token('a') for _ in range(3)]))")
    assert said == [provider.token] * 3
    assert len(provider.asked) == 1


def test_a_token_that_has_ended_is_not_used(provider: IdentityProvider) -> None:
    provider.lasts = 0
    answer(provider, "from shared import entra\nprint(json.dumps([entra.token('a') for _ in range(3)]))")
    assert len(provider.asked) == 3


def test_without_a_provider_there_is_no_login_and_trying_again_may_help(
    provider: IdentityProvider, database_url: str, identity_redis: str
) -> None:
    provider.away = True
    said = answer(
        provider,
        """
        import psycopg, redis
        from shared.database.connection import is_unavailability, open_connection
        from shared.feature_store.redis_history import connect
        told = []
        for attempt in (lambda: open_connection(database), lambda: connect(history).ping()):
            try:
                attempt()
            except psycopg.Error as error:
                told.append([is_unavailability(error), str(error)])
            except redis.ConnectionError as error:
                told.append([True, str(error)])
        print(json.dumps(told))
        """,
        database=asking_for_tokens(database_url),
        history=identity_redis,
    )
    assert isinstance(said, list)
    assert [again for again, _ in said] == [True, True]
    assert all(sentence.startswith("The identity provider gave no token for https://") for _, sentence in said)


def test_every_connection_of_the_engine_brings_a_token(provider: IdentityProvider, database_url: str) -> None:
    said = answer(
        provider,
        """
        import asyncio
        from shared.database.engine import async_engine

        async def password(connection):
            raw = await connection.get_raw_connection()
            return raw.driver_connection.info.password

        async def passwords():
            engine = async_engine(url)
            async with engine.connect() as one, engine.connect() as other:
                return await password(one), await password(other)

        print(json.dumps(asyncio.run(passwords())))
        """,
        url=asking_for_tokens(database_url),
    )
    assert said == [provider.token] * 2


def test_migrations_log_in_with_a_token(provider: IdentityProvider, database_url: str) -> None:
    program = "from shared.database.migrate import migrate\nmigrate(url)\nprint(json.dumps('done'))"
    assert answer(provider, program, url=asking_for_tokens(database_url)) == "done"
    assert {each["scope"] for each in provider.asked} == {entra.POSTGRES}


async def test_asynchronous_redis_logs_in_with_a_token(provider: IdentityProvider, identity_redis: str) -> None:
    client = redis.asyncio.Redis.from_url(**login(identity_redis, lambda _scope: provider.token))
    assert await client.execute_command("ACL", "WHOAMI") == USER.encode()
    await client.aclose()


def test_a_wrong_token_is_refused(identity_redis: str) -> None:
    client = redis.Redis.from_url(**login(identity_redis, lambda _scope: "another token"))
    with pytest.raises(redis.AuthenticationError):
        client.ping()


def asking_for_tokens(url: str) -> str:
    parts = urlsplit(url)
    return f"postgresql+entra://{parts.username}@{parts.hostname}:{parts.port}{parts.path}?sslmode=disable"
