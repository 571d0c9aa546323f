"""Settings: where they come from and what they are combined to."""

import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import ValidationError

from shared.command_line import UserError
from shared.settings import SHIPPED_MODEL, Settings, load_settings, variable_of

PARTS = {
    "FRAUDSENSE_DATABASE_HOST": "db.internal",
    "FRAUDSENSE_DATABASE_PORT": "6543",
    "FRAUDSENSE_DATABASE_USER": "scorer@tenant",
    "FRAUDSENSE_DATABASE_PASSWORD": "p/a:s?s#w%rd @é",
    "FRAUDSENSE_DATABASE_NAME": "cards and more",
}


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(variable_of(name), raising=False)


def set_all(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_the_postgres_url_is_built_from_five_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, PARTS)

    assert conninfo_to_dict(Settings().postgres_url) == {
        "host": "db.internal",
        "port": "6543",
        "user": "scorer@tenant",
        "password": "p/a:s?s#w%rd @é",
        "dbname": "cards and more",
    }


def test_an_ipv6_host_is_bracketed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAUDSENSE_DATABASE_HOST", "::1")

    assert conninfo_to_dict(Settings().postgres_url)["host"] == "::1"


def test_no_password_leaves_no_colon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAUDSENSE_DATABASE_USER", "me")

    assert Settings().postgres_url == "postgresql://me@127.0.0.1:5432/fraudsense"


def test_one_url_wins_over_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, PARTS | {"FRAUDSENSE_DATABASE_URL": "postgresql://u@elsewhere/x?sslmode=require"})

    assert Settings().postgres_url == "postgresql://u@elsewhere/x?sslmode=require"


def test_the_namespace_of_service_bus_has_the_name_that_the_functions_binding_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FRAUDSENSE_SERVICEBUS_CONNECTION__fullyQualifiedNamespace", "n.servicebus.windows.net")

    assert Settings().servicebus_namespace == "n.servicebus.windows.net"


@pytest.mark.parametrize(
    ("value", "groups"),
    [
        ("ingest,score", ("ingest", "score")),
        (" ingest , ", ("ingest",)),
        ("score,ingest,score", ("ingest", "score")),
    ],
)
def test_groups_are_a_list_in_one_variable(
    monkeypatch: pytest.MonkeyPatch, value: str, groups: tuple[str, ...]
) -> None:
    monkeypatch.setenv("FRAUDSENSE_FUNCTIONS", value)

    assert Settings().groups == groups


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FRAUDSENSE_BROKER", "kafka"),
        ("FRAUDSENSE_RATE_LIMIT_PER_MINUTE", "-1"),
        ("FRAUDSENSE_POISON_SHARE", "1.5"),
        ("FRAUDSENSE_SAMPLE_TRAFFIC", "maybe"),
        ("FRAUDSENSE_INGEST_PORT", "http"),
        ("FRAUDSENSE_FUNCTIONS", "alerts"),
        ("FRAUDSENSE_FUNCTIONS", "scoring"),
        ("FRAUDSENSE_FUNCTIONS", "ingest,alerts"),
        ("FRAUDSENSE_FUNCTIONS", ""),
    ],
)
def test_a_setting_without_sense_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(UserError, match=f"^{variable}: [^:]+[.]$"):
        load_settings()


def test_all_settings_without_sense_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {"FRAUDSENSE_BROKER": "kafka", "FRAUDSENSE_FUNCTIONS": "alerts"})

    with pytest.raises(
        UserError, match=r"^FRAUDSENSE_BROKER: .*; FRAUDSENSE_FUNCTIONS: Choose from ingest, score"
    ):
        load_settings()


def test_the_defaults_are_those_of_the_local_build() -> None:
    settings = Settings()

    assert (settings.ingest_port, settings.score_port, settings.alerts_port) == (7071, 7072, 8080)
    assert settings.groups == ("ingest", "score")
    assert (settings.broker, settings.rate_limit_per_minute) == ("rabbitmq", 60)
    assert settings.model_dir == SHIPPED_MODEL


def test_secrets_do_not_show_in_the_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "s3cret"
    for name in ("DATABASE_PASSWORD", "SERVICEBUS_CONNECTION"):
        monkeypatch.setenv(f"FRAUDSENSE_{name}", secret)
    for name in ("DATABASE_URL", "REDIS_URL", "RABBITMQ_URL"):
        monkeypatch.setenv(f"FRAUDSENSE_{name}", f"scheme://user:{secret}@host/")

    assert secret not in repr(Settings())


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError):
        Settings().ingest_port = 1  # type: ignore[misc]
