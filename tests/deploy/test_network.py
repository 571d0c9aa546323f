"""Who may talk to whom: the policies against a list of paths, and the gateway against the table of routes."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest

from shared.auth import ROUTES, Role, Route
from tests.deploy.cluster import DOORS, JOBS, NAME, Pod, of_kind, ours, pods, selects
from tests.deploy.manifests import Manifest, render
from tests.deploy.tools import ROOT, Tool

BOOKS = {(who, "postgres", "postgres") for who in (*DOORS, *JOBS)}
INSIDE = BOOKS | {(who, "redis", "redis") for who in DOORS} | {(who, "rabbitmq", "amqp") for who in
    ("ingest", "score", "queue")}  # fmt: skip
METRICS = {("kube-system or monitoring", door, "status" if door == "score" else "http") for door in DOORS}
INTERCEPTOR = {("keda", door, "http") for door in ("ingest", "alerts")}
TO_AZURE = (
    {(who, 443) for who in (*DOORS, *JOBS)} | {(who, 5432) for who in (*DOORS, *JOBS)}
    | {(who, 10000) for who in DOORS} | {(who, 5671) for who in ("ingest", "score")}
)  # fmt: skip
METADATA_SERVICE = "169.254.169.254/32"


@pytest.fixture(scope="session")
def local(kubectl: Tool) -> list[Manifest]:
    return render(kubectl, ROOT / "k8s" / "overlays" / "local")


@pytest.fixture(scope="session")
def azure(kubectl: Tool) -> list[Manifest]:
    return render(kubectl, ROOT / "k8s" / "overlays" / "azure")


def into(manifests: list[Manifest]) -> Iterator[tuple[str, str, str]]:
    """(from, to, port) of all that may come in: pods by name, else namespaces."""
    for policy, pod in selected(manifests):
        for rule in policy["spec"].get("ingress", []):
            for peer in rule["from"]:
                yield from ((who, pod.owner, port["port"]) for who in named(peer) for port in rule["ports"])


def named(peer: Manifest) -> list[str]:
    """The pods or namespaces of a peer."""
    if "namespaceSelector" in peer:
        return [" or ".join(names(peer["namespaceSelector"], "kubernetes.io/metadata.name"))]
    return names(peer["podSelector"], NAME)


def names(selector: Manifest, label: str) -> list[str]:
    """The values that a selector wants of a label."""
    if "matchLabels" in selector:
        return [selector["matchLabels"][label]]
    [expression] = selector["matchExpressions"]
    assert (expression["key"], expression["operator"]) == (label, "In")
    return expression["values"]


def out_of(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest, Any]]:
    """(from, to, port) of all that may go out, names to look up left aside."""
    for policy, pod in selected(manifests):
        for rule in policy["spec"].get("egress", []) if policy["metadata"]["name"] != "all-to-dns" else []:
            yield from ((pod.owner, peer, port["port"]) for peer in rule["to"] for port in rule["ports"])


def selected(manifests: list[Manifest]) -> Iterator[tuple[Manifest, Pod]]:
    """Each policy with each pod that it is about."""
    for policy in of_kind(manifests, "NetworkPolicy").values():
        matching = [pod for pod in pods(manifests) if selects(policy["spec"]["podSelector"], pod.labels)]
        assert matching, f"{policy['metadata']['name']} is about no pod"
        yield from ((policy, pod) for pod in matching)


def unreachable(manifests: list[Manifest]) -> list[tuple[str, str]]:
    """Ports that a policy opens although the pod does not listen on them."""
    ports = {pod.owner: pod.ports() for pod in pods(manifests)}
    return [(to, port) for _, to, port in into(manifests) if port not in ports[to]]


def test_nothing_may_talk_unless_a_policy_says_so(local: list[Manifest], azure: list[Manifest]) -> None:
    for overlay in (local, azure):
        spec = of_kind(overlay, "NetworkPolicy")["default-deny"]["spec"]
        assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_the_local_cluster_has_these_paths_and_no_others(local: list[Manifest]) -> None:
    inside = {(who, *named(peer), port) for who, peer, port in out_of(local)}

    assert inside == INSIDE
    assert set(into(local)) == INSIDE | METRICS | INTERCEPTOR | {("keda", "rabbitmq", "management")}
    assert unreachable(local) == []


def test_on_azure_each_pod_reaches_its_services_and_never_the_nodes_identity(azure: list[Manifest]) -> None:
    paths = list(out_of(azure))

    assert {(who, port) for who, _, port in paths} == TO_AZURE
    assert [peer for _, peer, _ in paths if peer["ipBlock"].get("except") != [METADATA_SERVICE]] == []
    assert set(into(azure)) == METRICS | INTERCEPTOR
    assert unreachable(azure) == []


def covers(match: Manifest, route: Route) -> bool:
    """Whether a match of an HTTPRoute lets a route through; a WebSocket begins as a GET."""
    method = "GET" if route.method == "WS" else route.method
    path = match["path"]
    if path["type"] == "Exact":
        return match["method"] == method and path["value"] == route.path
    return match["method"] == method and f"{route.path}/".startswith(path["value"].rstrip("/") + "/")


def is_public(route: Route) -> bool:
    """Whether it is others' business: metrics and health are for Prometheus and probes, inside."""
    return route.role is not Role.OPERATOR and not route.path.startswith("/health")


def misrouted(manifests: list[Manifest]) -> Iterator[str]:
    """Routes that should come in and cannot, or the other way round; matches that no route needs."""
    for group, http_route in of_kind(manifests, "HTTPRoute").items():
        matches = [match for rule in http_route["spec"]["rules"] for match in rule["matches"]]
        of_group = [route for route in ROUTES if route.group == group]
        for route in of_group:
            if any(covers(match, route) for match in matches) is not is_public(route):
                yield f"{group} {route.method} {route.path}"
        for match in matches:
            if not any(covers(match, route) for route in of_group):
                yield f"{group} has no {match['method']} {match['path']['value']}"


def test_the_gateway_lets_in_what_others_have_business_with(azure: list[Manifest]) -> None:
    assert set(of_kind(azure, "HTTPRoute")) == {"ingest", "alerts"}
    assert list(misrouted(azure)) == []


def test_the_gateway_speaks_https_inside_the_virtual_network_only(azure: list[Manifest]) -> None:
    [gateway] = of_kind(azure, "Gateway").values()
    annotations = gateway["spec"]["infrastructure"]["annotations"]

    assert annotations["service.beta.kubernetes.io/azure-load-balancer-internal"] == "true"
    assert {listener["protocol"] for listener in gateway["spec"]["listeners"]} == {"HTTPS"}


def test_gateway_routes_and_interceptor_know_a_door_by_the_same_name(azure: list[Manifest]) -> None:
    [gateway] = of_kind(azure, "Gateway").values()
    listeners = {listener["name"]: [listener["hostname"]] for listener in gateway["spec"]["listeners"]}
    routes = {name: route["spec"]["hostnames"] for name, route in of_kind(azure, "HTTPRoute").items()}
    interceptor = of_kind(azure, "InterceptorRoute")

    assert listeners == routes == {name: each["spec"]["rules"][0]["hosts"] for name, each in interceptor.items()}


def test_prometheus_asks_each_door_on_a_port_that_it_has(azure: list[Manifest]) -> None:
    [monitor] = of_kind(azure, "PodMonitor").values()
    asked = {(endpoint["port"], endpoint["path"]) for endpoint in monitor["spec"]["podMetricsEndpoints"]}
    doors = [pod for pod in ours(azure) if selects(monitor["spec"]["selector"], pod.labels)]
    offered = {(port, route.path) for pod in doors for port in pod.ports() for route in ROUTES
               if route.group == pod.owner and route.role is Role.OPERATOR}  # fmt: skip

    assert {pod.owner for pod in doors} == set(DOORS)
    assert asked == offered


@pytest.mark.parametrize(
    ("break_", "problem"),
    [
        (lambda matches: matches.pop(0), "ingest POST /transactions"),
        (lambda matches: matches[0]["path"].update(value="/metrics"), "ingest has no POST /metrics"),
        (lambda matches: matches[2]["path"].update(value="/"), "ingest GET /metrics"),
    ],
)
def test_a_gateway_that_lets_in_too_much_or_too_little_is_seen(
    azure: list[Manifest], break_: Callable[[Any], object], problem: str
) -> None:
    broken = deepcopy(azure)
    break_(of_kind(broken, "HTTPRoute")["ingest"]["spec"]["rules"][0]["matches"])

    assert problem in misrouted(broken)


def test_a_policy_about_nobody_and_a_port_that_nobody_has_are_seen(local: list[Manifest]) -> None:
    broken = deepcopy(local)
    policies = of_kind(broken, "NetworkPolicy")
    policies["redis-from-doors"]["spec"]["ingress"][0]["ports"][0]["port"] = "6380"
    assert ("redis", "6380") in unreachable(broken)

    policies["redis-from-doors"]["spec"]["podSelector"]["matchLabels"][NAME] = "reddis"
    with pytest.raises(AssertionError, match="redis-from-doors is about no pod"):
        unreachable(broken)
