"""Every pod of every overlay: locked down, probed on routes that exist, given settings that exist, stopped."""

import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import pytest

from shared.auth import ROUTES
from tests.deploy.cluster import DOORS, JOBS, Pod, declared_settings, of_kind, ours, pods, seconds_to_stop
from tests.deploy.manifests import OVERLAYS, Manifest, render
from tests.deploy.tools import ROOT, Tool

HOST_WRITES = {"/tmp", "/home/LogFiles", "/home/data", "/azure-functions-host/Secrets"}  # noqa: S108 - in the image
# The Functions host reads them beside the connection's name; nobody else does.
OF_THE_BINDING = {f"FRAUDSENSE_SERVICEBUS_CONNECTION__{name}" for name in ("credential", "clientId")}


@pytest.fixture(scope="session", params=OVERLAYS, ids=lambda path: path.name)
def overlay(kubectl: Tool, request: pytest.FixtureRequest) -> list[Manifest]:
    return render(kubectl, request.param)


def insecure(pod: Pod) -> Iterator[str]:
    """What the namespace's level "restricted", or this house, forbids."""
    security = pod.spec.get("securityContext", {})
    if not (security.get("runAsNonRoot") and security.get("runAsUser") and security.get("fsGroup")):
        yield "may be root"
    if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "has no seccomp profile"
    if pod.spec.get("automountServiceAccountToken") is not False:
        yield "has a token for the API server"
    if pod.spec.get("enableServiceLinks") is not False:
        yield "gets variables of every Service"
    yield from _insecure(pod.container)


def _insecure(container: Mapping[str, Any]) -> Iterator[str]:
    own, resources = container.get("securityContext", {}), container.get("resources", {})
    if own.get("allowPrivilegeEscalation") is not False or own.get("capabilities") != {"drop": ["ALL"]}:
        yield "may gain privileges"
    if own.get("readOnlyRootFilesystem") is not True:
        yield "may write into its root"
    if any({"cpu", "memory"} - set(resources.get(kind, {})) for kind in ("requests", "limits")):
        yield "has no bounds"


def unpinned(image: str, by_digest: bool) -> bool:
    """Whether an image's name may mean another image tomorrow."""
    if by_digest:
        return not re.fullmatch(r"[^@]+@sha256:[0-9a-f]{64}", image)
    return not re.search(r":(?!latest$)[\w.-]+$", image)


def unprobed(pod: Pod) -> Iterator[str]:
    """Probes that are missing, ask what nobody answers, or end a pod for an outage of something else."""
    paths = {route.path for route in ROUTES if route.group == pod.owner and route.method == "GET"}
    for kind, path in (("startup", "/health/live"), ("liveness", "/health/live"), ("readiness", "/health/ready")):
        asked = pod.container.get(f"{kind}Probe", {}).get("httpGet", {})
        if asked.get("path") != path or path not in paths:
            yield f"{kind}: asks {asked.get('path')}, not {path}"
        if asked.get("port") not in pod.ports():
            yield f"{kind}: there is no port {asked.get('port')}"


def unknown_settings(pod: Pod, manifests: list[Manifest]) -> Iterator[str]:
    """Variables that no setting reads, keys that no source holds, names that are used before they are given."""
    given = {name for source in pod.container.get("envFrom", []) for name in _data(source, manifests)}
    for variable in pod.container.get("env", []):
        yield from _ungiven(variable.get("value", ""), given, variable["name"])
        given.add(variable["name"])
        reference = variable.get("valueFrom", {}).get("configMapKeyRef")
        if reference and reference["key"] not in _data({"configMapRef": reference}, manifests):
            yield f"{variable['name']}: there is no {reference['key']}"
    yield from _ungiven(" ".join(pod.container.get("command", [])), given, "command")
    own = {name for name in given if name.startswith("FRAUDSENSE_")}
    yield from (f"{name} is no setting" for name in own - declared_settings() - OF_THE_BINDING)


def _ungiven(text: str, given: set[str], where: str) -> Iterator[str]:
    names = re.findall(r"\$\((\w+)\)", text)
    yield from (f"{where}: {name} is not given before it" for name in names if name not in given)


def _data(source: Mapping[str, Any], manifests: list[Manifest]) -> Mapping[str, str]:
    kind, reference = ("ConfigMap", source.get("configMapRef")) if "configMapRef" in source else (
        "Secret", source.get("secretRef"))  # fmt: skip
    return of_kind(manifests, kind)[reference["name"]]["data"]


def test_every_pod_is_locked_down(overlay: list[Manifest]) -> None:
    assert [(pod.owner, problem) for pod in pods(overlay) for problem in insecure(pod)] == []


def test_the_namespace_refuses_pods_that_are_not(overlay: list[Manifest]) -> None:
    labels = of_kind(overlay, "Namespace")["fraudsense"]["metadata"]["labels"]

    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_images_are_pinned_and_ours_in_azure_by_digest(overlay: list[Manifest]) -> None:
    azure = any(name.startswith("azure-") for name in of_kind(overlay, "ConfigMap"))

    assert {pod.owner for pod in ours(overlay)} >= {*DOORS, *JOBS}
    images = {pod.container["image"] for pod in pods(overlay)}
    assert [image for image in images if unpinned(image, by_digest=azure)] == []


def test_the_doors_are_probed_on_routes_that_they_have(overlay: list[Manifest]) -> None:
    doors = [pod for pod in pods(overlay) if pod.kind == "Deployment"]

    assert {pod.owner for pod in doors} == set(DOORS)
    assert [(pod.owner, problem) for pod in doors for problem in unprobed(pod)] == []


def test_every_variable_is_a_declared_setting_with_a_value(overlay: list[Manifest]) -> None:
    problems = [(pod.owner, problem) for pod in ours(overlay) for problem in unknown_settings(pod, overlay)]

    assert problems == []


@pytest.mark.parametrize("door", ["ingest", "score"])
def test_the_functions_host_runs_one_function_and_can_write_where_it_must(
    overlay: list[Manifest], door: str
) -> None:
    [pod] = [pod for pod in pods(overlay) if pod.owner == door]
    values = {variable["name"]: variable.get("value") for variable in pod.container["env"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in pod.container["volumeMounts"]}
    empty = {mounts[volume["name"]] for volume in pod.spec["volumes"] if "emptyDir" in volume}

    assert not {"command", "args"} & set(pod.container)  # the image's own: the host itself
    assert "FUNCTIONS_ENABLE_DRAIN_ON_APP_STOPPING" not in values  # nor what the image says of it
    assert values["FRAUDSENSE_FUNCTIONS"] == values["AzureFunctionsJobHost__functions__0"] == door
    assert values["AzureWebJobsSecretStorageType"] == "files"
    assert empty == HOST_WRITES


def test_a_stopped_pod_has_time_to_finish(overlay: list[Manifest]) -> None:
    delivery = (ROOT / "docs" / "delivery.md").read_text()
    [longest_batch] = map(int, re.findall(r"(\d+) s where the outage ends at the last moment", delivery))
    given = {pod.owner: pod.spec["terminationGracePeriodSeconds"] - before_stop(pod) for pod in pods(overlay)
             if pod.owner in DOORS}  # fmt: skip

    assert longest_batch < given["score"] < 300  # when Service Bus takes its lock back
    assert [door for door, seconds in seconds_to_stop().items() if given[door] < seconds] == []


def before_stop(pod: Pod) -> int:
    """Seconds of the grace period that pass before SIGTERM."""
    sleep = pod.container.get("lifecycle", {}).get("preStop", {}).get("sleep", {"seconds": 0})
    return int(sleep["seconds"])


def cookie_opened(manifests: list[Manifest]) -> bool:
    """Whether every start of RabbitMQ lets the group read the files on its volume, Erlang's cookie among them."""
    [rabbitmq] = [pod for pod in pods(manifests) if pod.owner == "rabbitmq"]
    return rabbitmq.spec["securityContext"].get("fsGroupChangePolicy") != "OnRootMismatch"


def test_rabbitmqs_cookie_stays_its_owners(sound: list[Manifest]) -> None:
    assert not cookie_opened(sound)


def test_a_cookie_that_is_opened_at_every_start_is_seen(sound: list[Manifest]) -> None:
    broken = deepcopy(sound)
    [rabbitmq] = [pod for pod in pods(broken) if pod.owner == "rabbitmq"]
    rabbitmq.spec["securityContext"].pop("fsGroupChangePolicy")

    assert cookie_opened(broken)


def test_only_autoscalers_say_how_many_doors_there_are(overlay: list[Manifest]) -> None:
    assert [name for name, door in of_kind(overlay, "Deployment").items() if "replicas" in door["spec"]] == []


@pytest.fixture(scope="session")
def sound(kubectl: Tool) -> list[Manifest]:
    """The local overlay, for controls that break it."""
    return render(kubectl, ROOT / "k8s" / "overlays" / "local")


def own(pod: Mapping[str, Any]) -> dict[str, Any]:
    """The security of the container, not of the pod."""
    return pod["containers"][0]["securityContext"]


@pytest.mark.parametrize(
    ("break_", "problem"),
    [
        (lambda pod: pod["securityContext"].update(runAsNonRoot=False), "may be root"),
        (lambda pod: pod["securityContext"].pop("seccompProfile"), "has no seccomp profile"),
        (lambda pod: own(pod).pop("capabilities"), "may gain privileges"),
        (lambda pod: own(pod).pop("readOnlyRootFilesystem"), "may write into its root"),
        (lambda pod: pod.pop("automountServiceAccountToken"), "has a token for the API server"),
        (lambda pod: pod.pop("enableServiceLinks"), "gets variables of every Service"),
        (lambda pod: pod["containers"][0]["resources"]["limits"].pop("memory"), "has no bounds"),
    ],
)  # fmt: skip
def test_a_pod_that_is_not_locked_down_is_seen(
    sound: list[Manifest], break_: Callable[[Any], object], problem: str
) -> None:
    broken = deepcopy(next(pods(sound)))
    break_(broken.spec)

    assert list(insecure(broken)) == [problem]


@pytest.mark.parametrize("image", ["fraudsense", "fraudsense:latest", "r.example:5000/fraudsense"])
def test_an_image_that_may_change_is_seen(image: str) -> None:
    assert unpinned(image, by_digest=False)
    assert unpinned(f"{image}:1.2", by_digest=True)


def test_probes_and_settings_that_do_not_exist_are_seen(sound: list[Manifest]) -> None:
    broken = deepcopy(next(pod for pod in pods(sound) if pod.owner == "ingest"))
    settings = broken.container["envFrom"][0]["configMapRef"]
    broken.container["livenessProbe"]["httpGet"].update(path="/admin/host/ping", port="https")
    broken.spec["containers"][0]["command"] = ["$(NOWHERE)"]
    broken.container["env"] += [
        {"name": "FRAUDSENSE_TYPO", "value": "$(ABSENT)"},
        {"name": "X", "valueFrom": {"configMapKeyRef": settings | {"key": "Y"}}},
    ]

    assert list(unprobed(broken)) == [
        "liveness: asks /admin/host/ping, not /health/live", "liveness: there is no port https"
    ]  # fmt: skip
    assert set(unknown_settings(broken, sound)) == {
        "command: NOWHERE is not given before it",
        "FRAUDSENSE_TYPO: ABSENT is not given before it", "X: there is no Y", "FRAUDSENSE_TYPO is no setting"
    }  # fmt: skip
