"""How the services are reached: those that the user runs himself, and those that `run` started."""

from local.data_folder import held_state
from shared.command_line import UserError
from shared.settings import Settings


def given_urls(settings: Settings) -> dict[str, str]:
    """The services that the user runs himself: name (database, redis, rabbitmq) -> URL."""
    known = {
        "database": ({"database_url", "database_host"}, settings.postgres_url),
        "redis": ({"redis_url"}, settings.redis_url),
        "rabbitmq": ({"rabbitmq_url"}, settings.rabbitmq_url),
    }
    return {name: url for name, (fields, url) in known.items() if any(_is_given(settings, one) for one in fields)}


def running_urls(settings: Settings, *names: str) -> dict[str, str]:
    """URLs of these services: those that the user gave, else those that `run` started. Raises UserError."""
    given = given_urls(settings)
    missing = [name for name in names if name not in given]
    if not missing:
        return given
    state = held_state(settings.data_dir)
    if state is None:
        variables = " and ".join(f"FRAUDSENSE_{name.upper()}_URL" for name in missing)
        raise UserError(f"Nothing is ready in {settings.data_dir}: start it with `make run`, or set {variables}.")
    return {name: str(state["urls"][name]) for name in missing} | given


def with_queue(settings: Settings) -> Settings:
    """The settings with the RabbitMQ that runs here, unless they name one or Service Bus. Raises UserError."""
    if settings.broker == "memory":
        raise UserError("FRAUDSENSE_BROKER=memory has no queue outside one process: set rabbitmq or servicebus.")
    if settings.broker == "servicebus":
        return settings
    return settings.model_copy(update={"rabbitmq_url": running_urls(settings, "rabbitmq")["rabbitmq"]})


def _is_given(settings: Settings, field: str) -> bool:
    return field in settings.model_fields_set and bool(getattr(settings, field))
