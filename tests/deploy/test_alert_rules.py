"""The rules that Prometheus alerts by: mounted, readable, of series that exist, and firing when they should."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.test_compose import FOLDER, series
from tests.deploy.tools import ROOT, Tool

RULES = FOLDER / "alert-rules.yml"
OF_RABBITMQ = {"rabbitmq_detailed_queue_messages"}
DEAD = 'rabbitmq_detailed_queue_messages{queue="transactions.dead"}'

# Series in steps of a minute, and the alert that fires after so long.
FIRING = [
    (('score_reload_failures_total{instance="score"}', "0+6x10"), "5m", "NotAsDeployed"),
    (('score_poison_pauses_total{instance="score"}', "0 0 1 1 1"), "3m", "PausedForPoison"),
    ((DEAD, "0 1 1"), "2m", "DeadEnvelopes"),
    (('score_drift_psi{feature="risk"}', "0.3x70"), "65m", "Drifted"),
]
SILENT = [
    (('score_reload_failures_total{instance="score"}', "0+6x10 60x10"), "16m"),
    (('score_reload_failures_total{instance="score"}', "0 0 1 1 1 1"), "3m"),
    (('score_poison_pauses_total{instance="score"}', "7x10"), "10m"),
    ((DEAD, "0x10"), "5m"),
    (('rabbitmq_detailed_queue_messages{queue="transactions"}', "5x10"), "5m"),
    (('score_drift_psi{feature="risk"}', "0.3x50"), "50m"),
    (('score_drift_psi{feature="risk"}', "0.2x70"), "65m"),
]


def rules(text: str) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def asked(text: str) -> set[str]:
    """Names of series in the rules' queries."""
    queries = [re.sub(r"\{[^}]*\}|\[[^]]*\]", "", rule["expr"]) for rule in rules(text)]
    return {name for query in queries for name in re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", query)}


def fires(promtool: Tool, folder: Path, given: tuple[str, str], after: str, *alerts: str) -> bool:
    """Whether these alerts and no others fire so long after the first of these values."""
    expected = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in alerts]
    firing = {"expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": after}
    test = {
        "interval": "1m",
        "input_series": [dict(zip(("series", "values"), given, strict=True))],
        "promql_expr_test": [firing | {"exp_samples": expected}],
    }
    file = folder / "test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}))
    return promtool("test", "rules", file).returncode == 0


def test_prometheus_can_read_them_where_compose_puts_them(promtool: Tool) -> None:
    [name] = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["rule_files"]
    mounted = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["prometheus"]["volumes"]

    assert f"./{RULES.relative_to(ROOT)}:/etc/prometheus/{name}:ro" in mounted
    assert promtool("check", "rules", "--lint-fatal", RULES).returncode == 0


def test_a_rule_that_cannot_be_read_is_refused(promtool: Tool, tmp_path: Path) -> None:
    broken = tmp_path / "rules.yml"
    broken.write_text(RULES.read_text().replace("sum by (instance) (", "sum by (instance) ((", 1))

    assert promtool("check", "rules", broken).returncode != 0


def test_they_ask_for_declared_metrics_only() -> None:
    assert len(asked(RULES.read_text())) == len(rules(RULES.read_text()))
    assert asked(RULES.read_text()) - series() - OF_RABBITMQ == set()


def test_a_metric_that_nobody_declared_is_seen() -> None:
    misspelt = RULES.read_text().replace("score_drift_psi", "score_drift_index")

    assert asked(misspelt) - series() - OF_RABBITMQ == {"score_drift_index"}


@pytest.mark.parametrize(("given", "after", "alert"), FIRING)
def test_an_alert_fires(promtool: Tool, tmp_path: Path, given: tuple[str, str], after: str, alert: str) -> None:
    assert fires(promtool, tmp_path, given, after, alert)


@pytest.mark.parametrize(("given", "after"), SILENT)
def test_there_is_silence_while_nothing_is_wrong(
    promtool: Tool, tmp_path: Path, given: tuple[str, str], after: str
) -> None:
    assert fires(promtool, tmp_path, given, after)


def test_every_alert_is_seen_firing() -> None:
    assert {alert for *_, alert in FIRING} == {rule["alert"] for rule in rules(RULES.read_text())}
