"""Which services the user runs himself."""

from shared.settings import Settings


def given_urls(settings: Settings) -> dict[str, str]:
    """The services that the user runs himself: name (database, redis, rabbitmq) -> URL."""
    known = {
        "database": ({"database_url", "database_host"}, settings.postgres_url),
        "redis": ({"redis_url"}, settings.redis_url),
        "rabbitmq": ({"rabbitmq_url"}, settings.rabbitmq_url),
    }
    return {name: url for name, (fields, url) in known.items() if any(_is_given(settings, one) for one in fields)}


def _is_given(settings: Settings, field: str) -> bool:
    return field in settings.model_fields_set and bool(getattr(settings, field))
