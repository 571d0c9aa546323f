"""Settings of the local build."""

from pathlib import Path

from local.chosen import given_urls
from shared.settings import Settings, variable_of

ROOT = Path(__file__).parents[2]


def test_services_with_a_url_of_the_users_are_given() -> None:
    settings = Settings(database_host="db.example", redis_url="redis://cache.example")
    assert given_urls(settings) == {
        "database": "postgresql://fraudsense@db.example:5432/fraudsense",
        "redis": "redis://cache.example",
    }


def test_an_empty_url_is_not_given() -> None:
    assert given_urls(Settings(database_url="", redis_url="")) == {}


def test_the_example_lists_every_setting_with_its_default_and_nothing_else() -> None:
    example = (ROOT / ".env.example").read_text().splitlines()
    listed = {
        line.lstrip("#").split("=")[0]: line.split("=", 1)[1]
        for line in example
        if line.startswith("#FRAUDSENSE_")
    }
    defaults = {variable_of(name): field.default for name, field in Settings.model_fields.items()}
    assert listed == {name: str(value).removeprefix(f"{ROOT}/") for name, value in defaults.items()}


def test_the_example_describes_every_setting() -> None:
    example = (ROOT / ".env.example").read_text()
    assert [f.description for f in Settings.model_fields.values() if f"# {f.description}\n" not in example] == []
