"""docs/reference.md lists exactly the settings, metrics, log events and routes that the code declares."""

import re
from pathlib import Path

import pytest

from shared.auth import ROUTES
from shared.domain.features import FEATURES, FOREST_FEATURES
from shared.settings import Settings, variable_of
from shared.telemetry.logs import Event
from shared.telemetry.metrics import METRICS

ROOT = Path(__file__).parents[2]


def rows(section: str) -> list[tuple[str, ...]]:
    """Cells of the table in a section, without code marks."""
    text = (ROOT / "docs" / "reference.md").read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [tuple(cell(each) for each in re.split(r"(?<!\\)\|", line)[1:-1]) for line in lines[2:]]


def cell(text: str) -> str:
    return text.strip().replace("`", "").replace("\\|", "|")


def plain(text: str | None) -> str:
    return (text or "").replace("`", "")


def test_settings() -> None:
    declared = [
        (variable_of(name), shown(field.default), plain(field.description))
        for name, field in Settings.model_fields.items()
    ]

    assert rows("Settings") == declared


def shown(default: object) -> str:
    inside = isinstance(default, Path) and default.is_absolute()
    return str(default.relative_to(ROOT) if inside else default)  # type: ignore[attr-defined]


def test_metrics() -> None:
    declared = [(m.name, m.kind, ", ".join(m.labels), plain(m.description)) for m in METRICS]

    assert rows("Metrics") == declared


def test_log_events() -> None:
    assert [event for event, _ in rows("Log events")] == list(Event)


def test_features() -> None:
    declared = [(name, "yes" if name in FOREST_FEATURES else "no") for name in FEATURES]

    assert [(name, forest) for name, _, _, forest in rows("Features")] == declared


def test_routes() -> None:
    assert rows("Routes") == [(route.group, route.method, route.path, route.role) for route in ROUTES]


def test_settings_stand_in_the_example_of_the_environment_file() -> None:
    example = re.findall(r"^#?(FRAUDSENSE_\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)

    assert example == [(variable_of(name), shown(field.default)) for name, field in Settings.model_fields.items()]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metrics_name_says_its_kind(metric: object) -> None:
    endings = {"counter": "_total", "histogram": "_seconds", "gauge": ("_envelopes", "_psi")}
    assert metric.name.endswith(endings[metric.kind])  # type: ignore[attr-defined]


def test_metrics_are_listed_where_they_are_declared() -> None:
    source = (ROOT / "shared" / "telemetry" / "metrics.py").read_text()

    assert len(METRICS) == len(re.findall(r"^[A-Z_]+ = Metric\(", source, re.MULTILINE))
    assert len({metric.name for metric in METRICS}) == len(METRICS)
