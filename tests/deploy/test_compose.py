"""compose.yaml and what it mounts: valid, on loopback only, watched, guarded, and in step with the product."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.auth import ROUTES
from tests.deploy.cluster import declared_settings, seconds_to_stop
from tests.deploy.tools import ROOT, Tool

FOLDER = ROOT / "deploy" / "compose"
DASHBOARD = FOLDER / "grafana" / "dashboards" / "fraudsense.json"
PORTS = {5432, 5672, 15672, 6379, 9090, 3000, 7071, 7072, 8080}
JOBS = {"migrate", "queue", "signals"}  # they answer nobody, and are started again where they fail
WRITTEN_BY_THE_HOST = {"/tmp", "/home/LogFiles", "/home/data", "/azure-functions-host/Secrets"}  # noqa: S108

Compose = dict[str, Any]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def compose() -> Compose:
    """compose.yaml, for the test to break."""
    return deepcopy(yaml.safe_load((ROOT / "compose.yaml").read_text()))


def exposed(compose: Compose) -> list[str]:
    """Ports that other machines reach."""
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    return [port for port in ports if not re.fullmatch(r"127\.0\.0\.1:\d+:\d+", str(port))]


def unwatched(compose: Compose) -> set[str]:
    """Services that run on and of which nobody asks how they are."""
    return {
        name
        for name, service in compose["services"].items()
        if name not in JOBS and "test" not in service.get("healthcheck", {})
    }


def unguarded(compose: Compose) -> set[str]:
    """Containers of our image that could write, or gain privileges."""
    return {
        name
        for name, service in compose["services"].items()
        if service["image"] == "fraudsense"
        and not (
            service.get("read_only") is True
            and service.get("cap_drop") == ["ALL"]
            and service.get("security_opt") == ["no-new-privileges:true"]
            and {place.partition(":")[0] for place in service.get("tmpfs", [])} == WRITTEN_BY_THE_HOST
        )
    }


def undeclared(compose: Compose) -> set[str]:
    """Settings that the product does not know."""
    given = {name for service in compose["services"].values() for name in service.get("environment", {})}
    return {name for name in given if name.startswith("FRAUDSENSE_")} - declared_settings()


def hurried(compose: Compose) -> set[str]:
    """Doors that are killed before what they have in hand is done."""
    given = {door: str(compose["services"][door].get("stop_grace_period", "10s")) for door in seconds_to_stop()}
    return {door for door, seconds in seconds_to_stop().items() if int(given[door].removesuffix("s")) < seconds}


def bypassing(compose: Compose) -> set[str]:
    """Doors under the Functions host that start something else than the image does, or stop it in another way."""
    own = {"command", "entrypoint", "stop_signal"}
    return {door for door in ("ingest", "score") if own & set(compose["services"][door])}


def unpinned(compose: Compose) -> list[str]:
    """Images whose tag is missing, or means another image every week."""
    images = {service["image"] for service in compose["services"].values()} - {"fraudsense"}
    return sorted(image for image in images if not re.search(r":[^:/]*\d[^:/]*$", image))


def variables(text: str) -> set[str]:
    """What compose.yaml takes from its environment and has no default for."""
    return set(re.findall(r"(?<!\$)\$\{(\w+)(?:\}|:\?)", text))


def test_it_is_a_compose_file(check_jsonschema: Tool) -> None:
    result = check_jsonschema("--builtin-schema", "vendor.compose-spec", ROOT / "compose.yaml")

    assert result.returncode == 0, result.stdout


def test_a_service_without_sense_is_refused(check_jsonschema: Tool, compose: Compose, tmp_path: Path) -> None:
    compose["services"]["ingest"]["portz"] = []
    broken = tmp_path / "compose.yaml"
    broken.write_text(yaml.safe_dump(compose))

    assert check_jsonschema("--builtin-schema", "vendor.compose-spec", broken).returncode != 0


@pytest.fixture
def docker_compose() -> Run:
    """Docker's own program, which reads the file without an engine."""
    docker = Tool("docker")
    if shutil.which("docker") is None or docker("compose", "version").returncode:
        pytest.skip("docker compose is missing, so it did not read compose.yaml: install Docker's compose plugin")
    return partial(docker, "compose")


@pytest.mark.parametrize("profile", ["rabbitmq", "servicebus"])
def test_docker_compose_reads_it(docker_compose: Run, profile: str) -> None:
    passwords = ("--env-file", FOLDER / "development.env")

    result = docker_compose(*passwords, "--profile", profile, "config", "--quiet")

    assert result.returncode == 0, result.stdout


def test_without_passwords_docker_compose_says_where_they_are(docker_compose: Run) -> None:
    result = docker_compose("--env-file", "/dev/null", "config", "--quiet")

    assert result.returncode != 0
    assert "POSTGRES_PASSWORD is missing a value: is in deploy/compose/development.env" in result.stdout


def test_every_port_is_on_loopback_and_there_are_no_others_than_said(compose: Compose) -> None:
    published = {
        int(port.split(":")[1]) for each in compose["services"].values() for port in each.get("ports", [])
    }

    assert exposed(compose) == []
    assert published == PORTS


def test_all_that_runs_on_has_a_health_check_but_the_emulator_which_another_asks(compose: Compose) -> None:
    assert unwatched(compose) == {"servicebus"}
    assert "http://servicebus:5300/health" in str(compose["services"]["servicebus-health"]["healthcheck"])


def test_our_containers_can_change_nothing_but_what_the_host_writes(compose: Compose) -> None:
    assert unguarded(compose) == set()


def test_every_setting_is_declared(compose: Compose) -> None:
    assert undeclared(compose) == set()


def test_a_stopped_door_has_time_to_finish(compose: Compose) -> None:
    assert bypassing(compose) == set()
    assert hurried(compose) == set()


def test_images_have_a_version(compose: Compose) -> None:
    assert unpinned(compose) == []


def ports_for_everybody(compose: Compose) -> object:
    compose["services"]["postgres"]["ports"] = ["5432:5432"]
    return exposed(compose)


def no_health_check(compose: Compose) -> object:
    del compose["services"]["redis"]["healthcheck"]
    return unwatched(compose) - {"servicebus"}


def a_writable_root(compose: Compose) -> object:
    compose["services"]["score"]["read_only"] = False
    return unguarded(compose)


def a_misspelt_setting(compose: Compose) -> object:
    compose["services"]["score"]["environment"]["FRAUDSENSE_SCORE_STATUSS"] = "at_start"
    return undeclared(compose)


def a_hurried_stop(compose: Compose) -> object:
    compose["services"]["score"]["stop_grace_period"] = "1s"
    return hurried(compose)


def the_default_time_to_stop(compose: Compose) -> object:
    del compose["services"]["ingest"]["stop_grace_period"]
    return hurried(compose)


def a_script_around_the_host(compose: Compose) -> object:
    compose["services"]["score"]["command"] = ["/opt/startup/start_nonappservice.sh"]
    return bypassing(compose)


def the_latest_image(compose: Compose) -> object:
    compose["services"]["redis"]["image"] = "redis:latest"
    return unpinned(compose)


@pytest.mark.parametrize(
    "breaking",
    [
        ports_for_everybody,
        no_health_check,
        a_writable_root,
        a_misspelt_setting,
        a_hurried_stop,
        the_default_time_to_stop,
        a_script_around_the_host,
        the_latest_image,
    ],
)
def test_the_checks_see_what_is_broken(breaking: Callable[[Compose], object], compose: Compose) -> None:
    assert breaking(compose)


def test_health_checks_ask_routes_that_exist(compose: Compose) -> None:
    for door in ("ingest", "score", "alerts"):
        asked = re.search(r"http://127\.0\.0\.1:\d+(/[a-z/]+)", str(compose["services"][door]["healthcheck"]))

        assert asked
        assert ("GET", asked[1]) in {(route.method, route.path) for route in ROUTES if route.group == door}


def test_services_volumes_and_networks_are_declared_and_used(compose: Compose) -> None:
    services = compose["services"].values()
    mounted = {place.split(":")[0] for service in services for place in service.get("volumes", [])}
    files = {place for place in mounted if place.startswith("./")}

    assert mounted - files == set(compose["volumes"])
    assert (
        {name for service in services for name in service["networks"]}
        == set(compose["networks"])
        == {"front", "back"}
    )
    assert [place for place in files if not (ROOT / place).exists()] == []


def test_only_what_a_browser_or_a_client_asks_is_in_front(compose: Compose) -> None:
    front = {name for name, service in compose["services"].items() if "front" in service["networks"]}

    assert front == {"ingest", "alerts", "prometheus", "grafana"}


def test_what_our_containers_run_is_in_the_image(compose: Compose) -> None:
    commands = [each["command"] for each in compose["services"].values() if "-m" in each.get("command", [])]
    modules = {command[2].replace(".", "/") for command in commands}

    assert len(modules) > 3
    assert [
        name for name in modules if not ((ROOT / name / "__main__.py").exists() or (ROOT / f"{name}.py").exists())
    ] == []


def test_redis_keeps_what_it_took(compose: Compose) -> None:
    command = compose["services"]["redis"]["command"]

    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
    assert command[command.index("--appendonly") + 1] == "yes"
    assert command[command.index("--appendfsync") + 1] == "everysec"


def test_the_development_passwords_are_all_that_it_needs() -> None:
    given = set(re.findall(r"^(\w+)=", (FOLDER / "development.env").read_text(), re.MULTILINE))

    assert variables((ROOT / "compose.yaml").read_text()) == given


def test_the_emulators_queue_is_the_one_of_the_design(compose: Compose) -> None:
    (namespace,) = json.loads((FOLDER / "servicebus.json").read_text())["UserConfig"]["Namespaces"]
    (queue,) = namespace["Queues"]
    properties = queue["Properties"]

    assert (namespace["Name"], queue["Name"]) == ("sbemulatorns", "transactions")
    assert properties["RequiresDuplicateDetection"] is True
    assert properties["DeadLetteringOnMessageExpiration"] is True
    assert (properties["LockDuration"], properties["MaxDeliveryCount"]) == ("PT5M", 10)
    assert (
        "UseDevelopmentEmulator=true"
        in compose["services"]["score"]["environment"]["FRAUDSENSE_SERVICEBUS_CONNECTION"]
    )


def test_prometheus_accepts_its_configuration(promtool: Tool) -> None:
    result = promtool("check", "config", "--lint-fatal", FOLDER / "prometheus.yml")

    assert result.returncode == 0, result.stdout


def test_prometheus_refuses_a_configuration_without_sense(promtool: Tool, tmp_path: Path) -> None:
    shutil.copy(FOLDER / "alert-rules.yml", tmp_path)
    broken = tmp_path / "prometheus.yml"
    broken.write_text((FOLDER / "prometheus.yml").read_text().replace("targets:", "target:"))

    result = promtool("check", "config", broken)

    assert result.returncode != 0
    assert "field target not found" in result.stdout


def test_prometheus_asks_each_door_where_it_listens(compose: Compose) -> None:
    jobs = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in jobs}
    inside = {
        name: [f"{name}:{port.split(':')[2]}" for port in compose["services"][name]["ports"]]
        for name in ("ingest", "score", "alerts")
    }

    assert {name: targets[name] for name in inside} == inside


def measured(dashboard: dict[str, Any]) -> Iterator[str]:
    """Names of series in a dashboard's queries."""
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            query = re.sub(r"\bby \([^)]*\)", "", target["expr"])
            yield from re.findall(r"\b[a-z_]+\b(?=\[|\)|$)", query)


def series() -> set[str]:
    """What Prometheus knows: the declared metrics, a histogram's three series, and `up`."""
    rows = re.findall(
        r"^\| `(\w+)` \| (counter|gauge|histogram) \|", (ROOT / "docs/reference.md").read_text(), re.M
    )
    plain = {name for name, kind in rows if kind != "histogram"}
    return (
        plain
        | {f"{name}_{part}" for name, kind in rows if kind == "histogram" for part in ("bucket", "sum", "count")}
        | {"up"}
    )


def test_the_dashboard_shows_declared_metrics_from_the_provisioned_source() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    source = yaml.safe_load((FOLDER / "grafana/provisioning/datasources/prometheus.yaml").read_text())[
        "datasources"
    ][0]

    assert len(set(measured(dashboard))) > 5
    assert set(measured(dashboard)) - series() == set()
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {source["uid"]}


def test_a_metric_that_nobody_declared_is_seen() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    dashboard["panels"][0]["targets"][0]["expr"] = "sum(rate(transactions_total[1m]))"

    assert set(measured(dashboard)) - series() == {"transactions_total"}


def rules_of(dashboard: dict[str, Any]) -> str:
    """The dashboard's queries as recording rules, which promtool reads."""
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    return yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]})


def test_the_dashboards_queries_can_be_read(promtool: Tool, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(rules_of(json.loads(DASHBOARD.read_text())))
    result = promtool("check", "rules", rules)

    assert result.returncode == 0, result.stdout


def test_a_query_that_cannot_be_read_is_refused(promtool: Tool, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(rules_of(json.loads(DASHBOARD.read_text())).replace("sum(rate", "sum(((rate"))

    assert promtool("check", "rules", rules).returncode != 0
