"""Every setting, declared once. Read from `FRAUDSENSE_...` variables by the wirings only."""

from functools import cached_property
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import quote

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.command_line import UserError

Group = Literal["ingest", "score"]
GROUPS: tuple[Group, ...] = get_args(Group)
SHIPPED_MODEL = Path(__file__).parents[1] / "ml" / "models" / "shipped"


class Settings(BaseSettings):
    """What a deployment can choose. Field `x_y` is read from `FRAUDSENSE_X_Y`."""

    model_config = SettingsConfigDict(env_prefix="FRAUDSENSE_", extra="ignore", frozen=True, populate_by_name=True)

    database_url: str = Field(
        "",
        description="PostgreSQL URL, postgresql+entra:// for an identity; else the five parts below",
        repr=False,
    )
    database_host: str = Field("127.0.0.1", description="PostgreSQL host")
    database_port: int = Field(5432, description="PostgreSQL port")
    database_user: str = Field("fraudsense", description="PostgreSQL user")
    database_password: str = Field("", description="PostgreSQL password", repr=False)
    database_name: str = Field("fraudsense", description="PostgreSQL database")
    redis_url: str = Field(
        "redis://127.0.0.1:6379/0", description="Redis URL, rediss+entra:// for an identity", repr=False
    )
    rabbitmq_url: str = Field("amqp://guest:guest@127.0.0.1:5672/", description="RabbitMQ URL", repr=False)
    servicebus_connection: str = Field("", description="Service Bus connection string", repr=False)
    servicebus_namespace: str = Field(
        "",
        # The Functions binding reads the same name, beside the connection string's.
        validation_alias="FRAUDSENSE_SERVICEBUS_CONNECTION__fullyQualifiedNamespace",
        description="Service Bus namespace reached with an identity instead of a connection string",
    )

    broker: Literal["rabbitmq", "servicebus", "memory"] = Field(
        "rabbitmq", description="Which queue: rabbitmq, servicebus or memory"
    )
    functions: str = Field("ingest,score", description="Function groups that function_app.py registers")
    queue_name: str = Field(
        "transactions", description="The queue of envelopes; `.dead` is appended for dead letters"
    )
    queue_type: Literal["quorum", "classic"] = Field(
        "quorum", description="RabbitMQ queue type: quorum or classic"
    )
    queue_max_length: int = Field(1_000_000, gt=0, description="Envelopes after which RabbitMQ refuses more")

    ingest_port: int = Field(7071, description="Local port of ingest")
    score_port: int = Field(7072, description="Local port of score's health and metrics")
    score_host: str = Field("127.0.0.1", description="Address that score's health and metrics listen on")
    score_status: Literal["at_start", "first_message"] = Field(
        "first_message",
        description="Start of score's health and metrics: at_start where probes ask, else with the first_message",
    )
    alerts_port: int = Field(8080, description="Local port of alerts and the dashboard")
    data_dir: Path = Field(Path(".local"), description="Data folder of the local build")
    model_dir: Path = Field(SHIPPED_MODEL, description="Model folder: manifest.json, forest.npz")
    model_registry: str = Field(
        "",
        description="Registered models: a folder or an Azure Blob container's URL; else models in the data folder",
        repr=False,
    )

    rate_limit_per_minute: int = Field(60, ge=0, description="Transactions an account may post a minute; 0 = off")
    receipt_hours: int = Field(24, gt=0, description="How long a receipt answers 409 for other content")
    publish_queue_size: int = Field(
        20_000,
        ge=1_000,
        description="Transactions waiting to be published before 503; at least a full batch, 1000",
    )
    queue_full_at: int = Field(
        0, ge=0, description="Envelopes in the queue beyond which ingest answers 503 early; 0 = off"
    )
    retry_budget_seconds: float = Field(180, ge=0, description="How long score waits for Redis or PostgreSQL")
    poison_window: int = Field(200, gt=0, description="Messages over which the share of poison is taken")
    poison_minimum: int = Field(50, gt=0, description="Messages before the share of poison counts")
    poison_share: float = Field(0.5, gt=0, le=1, description="Share of poison beyond which score pauses")
    poison_pause_seconds: float = Field(30, ge=0, description="How long score pauses at a time")

    sample_traffic: Literal["on", "off"] = Field("on", description="Whether `make run` streams sample traffic")
    fault: str = Field(
        "", description="Local build only: <step>:<kill|raise>[:n], <gate|history|outbox>:off, or a list"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe log level: DEBUG, INFO, WARNING or ERROR"
    )

    @field_validator("functions")
    @classmethod
    def _names_groups(cls, value: str) -> str:
        if not (names := _listed(value)) or names - set(GROUPS):
            raise ValueError(f"Choose from {', '.join(GROUPS)}, with commas between them")
        return value

    @cached_property
    def postgres_url(self) -> str:
        """The libpq URL, from the one setting or from its five parts."""
        if self.database_url:
            return self.database_url
        password = f":{quote(self.database_password, safe='')}" if self.database_password else ""
        user, name = quote(self.database_user, safe=""), quote(self.database_name, safe="")
        host = f"[{self.database_host}]" if ":" in self.database_host else self.database_host
        return f"postgresql://{user}{password}@{host}:{self.database_port}/{name}"

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The function groups to register."""
        return tuple(group for group in GROUPS if group in _listed(self.functions))


def _listed(text: str) -> set[str]:
    return {name.strip() for name in text.split(",")} - {""}


def variable_of(field: str) -> str:
    """The environment variable that a field is read from."""
    declared = Settings.model_fields.get(field)
    alias = declared.validation_alias if declared else None
    return alias if isinstance(alias, str) else f"FRAUDSENSE_{field}".upper()


def load_settings() -> Settings:
    """The settings of this process. Raises UserError naming those that make no sense."""
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(
            f"{variable_of(str(problem['loc'][0]))}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()
        )
        raise UserError(f"{problems}.") from None  # the original shows the values, which may be secret
