"""The autoscalers: each on something that exists, with metadata that its scaler reads, alike on every broker."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.cluster import of_kind
from tests.deploy.manifests import Manifest, problems, render
from tests.deploy.tools import ROOT, Tool

OVERLAYS = ROOT / "k8s" / "overlays"

# What each scaler must be told and may be told, as KEDA's and the add-on's pages say; all values are text.
TRIGGERS: Mapping[str, tuple[set[str], set[str]]] = {
    "azure-servicebus": ({"queueName", "namespace"}, {"messageCount", "activationMessageCount"}),
    "rabbitmq": ({"queueName", "mode", "value"}, {"protocol", "activationValue", "excludeUnacknowledged"}),
    "external-push": ({"scalerAddress", "interceptorRoute"}, set()),
}


@pytest.fixture(scope="session", params=["local", "azure-dev", "azure-prod"])
def overlay(kubectl: Tool, request: pytest.FixtureRequest) -> list[Manifest]:
    return render(kubectl, OVERLAYS / request.param)


@pytest.fixture(scope="session")
def local(kubectl: Tool) -> list[Manifest]:
    return render(kubectl, OVERLAYS / "local")


def ill_scaled(manifests: list[Manifest]) -> Iterator[str]:
    """Scalers of nothing, triggers that their scaler would refuse or that lead nowhere."""
    for name, scaled in of_kind(manifests, "ScaledObject").items():
        if scaled["spec"]["scaleTargetRef"]["name"] not in of_kind(manifests, "Deployment"):
            yield f"{name}: scales no Deployment"
        for trigger in scaled["spec"]["triggers"]:
            yield from (f"{name}: {problem}" for problem in _ill_triggered(trigger, manifests))
    for name, route in of_kind(manifests, "InterceptorRoute").items():
        service = of_kind(manifests, "Service").get(route["spec"]["target"]["service"], {"spec": {"ports": []}})
        if route["spec"]["target"]["port"] not in [port["port"] for port in service["spec"]["ports"]]:
            yield f"{name}: leads to no Service's port"


def _ill_triggered(trigger: Manifest, manifests: list[Manifest]) -> Iterator[str]:
    metadata = trigger["metadata"]
    required, allowed = TRIGGERS[trigger["type"]]
    yield from (f"lacks {key}" for key in sorted(required - set(metadata)))
    yield from (f"does not know {key}" for key in sorted(set(metadata) - required - allowed))
    login = trigger.get("authenticationRef", {}).get("name")
    if trigger["type"] != "external-push" and login not in of_kind(manifests, "TriggerAuthentication"):
        yield "has no TriggerAuthentication"
    if metadata.get("interceptorRoute", "") not in {"", *of_kind(manifests, "InterceptorRoute")}:
        yield "has no InterceptorRoute"


def test_every_autoscaler_scales_something_by_something(overlay: list[Manifest]) -> None:
    assert set(of_kind(overlay, "ScaledObject")) == {"ingest", "score", "alerts"}
    assert list(ill_scaled(overlay)) == []


def test_score_goes_from_none_to_twenty_within_seconds(overlay: list[Manifest]) -> None:
    spec = of_kind(overlay, "ScaledObject")["score"]["spec"]

    assert (spec["minReplicaCount"], spec["maxReplicaCount"], spec["pollingInterval"]) == (0, 20, 5)


def test_score_has_the_same_target_on_every_broker(kubectl: Tool, local: list[Manifest]) -> None:
    [rabbitmq] = of_kind(local, "ScaledObject")["score"]["spec"]["triggers"]
    azure = render(kubectl, OVERLAYS / "azure-prod")
    [service_bus] = of_kind(azure, "ScaledObject")["score"]["spec"]["triggers"]

    assert rabbitmq["metadata"]["value"] == service_bus["metadata"]["messageCount"]
    assert rabbitmq["metadata"]["queueName"] == service_bus["metadata"]["queueName"] == default_queue()
    assert (rabbitmq["metadata"]["mode"], rabbitmq["metadata"]["protocol"]) == ("QueueLength", "http")


def default_queue() -> str:
    """The queue that ingest and score use where no setting says otherwise."""
    [name] = re.findall(r"\| `FRAUDSENSE_QUEUE_NAME` \| `(\w+)` \|", (ROOT / "docs" / "reference.md").read_text())
    return str(name)


@pytest.mark.parametrize(("environment", "least"), [("dev", 0), ("prod", 1)])
def test_in_production_a_post_waits_for_no_start_and_the_sweeper_always_runs(
    kubectl: Tool, environment: str, least: int
) -> None:
    scaled = of_kind(render(kubectl, OVERLAYS / f"azure-{environment}"), "ScaledObject")

    assert {scaled[door]["spec"]["minReplicaCount"] for door in ("ingest", "alerts")} == {least}


def test_a_stream_of_alerts_is_never_cut_by_the_interceptor(local: list[Manifest]) -> None:
    assert of_kind(local, "InterceptorRoute")["alerts"]["spec"]["timeouts"]["request"] == "0s"


def test_without_the_http_add_on_two_to_twenty_replicas_go_by_processor_time(
    kubectl: Tool, tmp_path: Path
) -> None:
    parts = ["base", "components/gateway", "components/cpu-autoscaler", "components/pod-monitor"]
    base, *components = [os.path.relpath(ROOT / "k8s" / part, tmp_path.resolve()) for part in parts]
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump({"resources": [base], "components": components}))

    manifests = render(kubectl, tmp_path)
    autoscalers = of_kind(manifests, "HorizontalPodAutoscaler")
    bounds = {
        name: (each["spec"]["minReplicas"], each["spec"]["maxReplicas"]) for name, each in autoscalers.items()
    }

    assert bounds == {"ingest": (2, 20), "alerts": (2, 20)}
    assert {name: each["spec"]["scaleTargetRef"]["name"] for name, each in autoscalers.items()} == {
        "ingest": "ingest", "alerts": "alerts"
    }  # fmt: skip
    assert set(of_kind(manifests, "ScaledObject")) == {"score"}
    routes = of_kind(manifests, "HTTPRoute")
    assert {route["spec"]["rules"][0]["backendRefs"][0]["name"] for route in routes.values()} == set(routes)
    assert "gateway-to-doors" in of_kind(manifests, "NetworkPolicy")
    assert [problem for manifest in manifests for problem in problems(manifest)] == []


def trigger_of(manifests: list[Manifest], door: str) -> dict[str, Any]:
    """The only trigger of a door."""
    [trigger] = of_kind(manifests, "ScaledObject")[door]["spec"]["triggers"]
    return trigger


@pytest.mark.parametrize(
    ("break_", "said"),
    [
        (lambda all_: trigger_of(all_, "score")["metadata"].pop("value"), "score: lacks value"),
        (lambda all_: trigger_of(all_, "score")["metadata"].update(queueLength="5"),
         "score: does not know queueLength"),
        (lambda all_: trigger_of(all_, "score").pop("authenticationRef"), "score: has no TriggerAuthentication"),
        (lambda all_: trigger_of(all_, "alerts")["metadata"].update(interceptorRoute="x"),
         "alerts: has no InterceptorRoute"),
        (lambda all_: of_kind(all_, "Service")["ingest"]["spec"]["ports"][0].update(port=80),
         "ingest: leads to no Service's port"),
        (lambda all_: of_kind(all_, "Deployment")["score"]["metadata"].update(name="scorer"),
         "score: scales no Deployment"),
    ],
)  # fmt: skip
def test_an_autoscaler_that_leads_nowhere_is_seen(
    local: list[Manifest], break_: Callable[[list[Manifest]], object], said: str
) -> None:
    broken = deepcopy(local)
    break_(broken)

    assert list(ill_scaled(broken)) == [said]
