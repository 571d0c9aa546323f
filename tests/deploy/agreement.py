"""What must be the same in Bicep, manifests, host.json, settings, compose, image and workflows, place by place."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml

from tests.deploy.agreed_logins import LOGINS
from tests.deploy.agreed_names import NAMES
from tests.deploy.bicep_types import inside, parse
from tests.deploy.cluster import of_kind, ours, pods
from tests.deploy.tree import Tree

RABBITMQ_ACKNOWLEDGEMENT = 30 * 60  # seconds, by default

ASSIGNMENT = "Microsoft.Authorization/roleAssignments"


def queue_name(tree: Tree) -> dict[str, Any]:
    """The queue of envelopes."""
    return {
        "settings": tree.setting("queue_name"),
        "Bicep": tree.resource("modules/servicebus.bicep", "transactions")["name"],
        "KEDA on Azure": tree.trigger("azure-prod")["queueName"],
        "KEDA in a local cluster": tree.trigger("local")["queueName"],
        "emulator": tree.emulated_queue()["Name"],
    }


def queue_rules(tree: Tree) -> dict[str, Any]:
    """Lock, deliveries, and that a repeated message is stored once."""
    azure = tree.resource("modules/servicebus.bicep", "transactions")["properties"]
    emulated = tree.emulated_queue()["Properties"]
    return {
        "Bicep": (azure["lockDuration"], azure["maxDeliveryCount"], azure["requiresDuplicateDetection"]),
        "emulator": (
            emulated["LockDuration"],
            emulated["MaxDeliveryCount"],
            emulated["RequiresDuplicateDetection"],
        ),
    }


def user(tree: Tree) -> dict[str, Any]:
    """Who our containers run as."""
    [image] = re.findall(r"^USER (\d+):(\d+)$", tree.text("Dockerfile"), flags=re.MULTILINE)
    contexts = {
        f"{pod.owner} in {overlay}": (str(spec["runAsUser"]), str(spec["runAsGroup"]))
        for overlay in ("local", "azure-prod")
        for pod in ours(tree.overlay(overlay))
        for spec in [pod.spec["securityContext"]]
    }
    [compose] = re.findall(r"/home/data:uid=(\d+),gid=(\d+)", tree.text("compose.yaml"))
    return {"image": image, "compose": compose, **contexts}


def ports(tree: Tree) -> dict[str, Any]:
    """Where our containers listen."""
    [exposed] = re.findall(r"^EXPOSE (.+)$", tree.text("Dockerfile"), flags=re.MULTILINE)
    services = yaml.safe_load(tree.text("compose.yaml"))["services"]
    published = [port for door in ("ingest", "score", "alerts") for port in services[door]["ports"]]
    declared = [port for pod in ours(tree.overlay("local")) for port in pod.ports().values()]
    return {
        "image": {int(port) for port in exposed.split()},
        "compose": {int(port.rsplit(":")[-1]) for port in published},
        "manifests": set(declared),
    }


def identities(tree: Tree) -> dict[str, Any]:
    """Whose tokens Azure takes for a workload's: the ServiceAccounts, and KEDA's."""
    accounts = of_kind(tree.overlay("azure-prod"), "ServiceAccount").values()
    subjects = {f"system:serviceaccount:{a['metadata']['namespace']}:{a['metadata']['name']}" for a in accounts}
    federated = tree.bicep("modules/federation.bicep")["variables"]["serviceAccounts"]["value"]
    return {
        "Bicep": {account["subject"] for account in federated},
        "manifests": subjects | {"system:serviceaccount:kube-system:keda-operator"},
    }


def environments(tree: Tree) -> dict[str, Any]:
    """Which deployment environment rolls out to what was made from which parameters."""
    jobs = yaml.safe_load(tree.text(".github/workflows/cd.yml"))["jobs"].values()
    files = (tree.root / "infra_bicep").glob("*.bicepparam")
    trusted = re.compile(r"^param githubEnvironments = \['(\w+)'\]$", re.MULTILINE)
    return {
        "workflow": {(job["with"]["environment"], job["with"]["parameters"]) for job in jobs},
        "parameters": {(name, file.stem) for file in files for name in trusted.findall(file.read_text())},
    }


def pushing_branch(tree: Tree) -> dict[str, Any]:
    """The branch whose workflow pushes images."""
    workflow = yaml.safe_load(tree.text(".github/workflows/ci.yml"))
    trusted = re.findall(r"'ref:refs/heads/(\w+)'", tree.text("infra_bicep/modules/federation.bicep"))
    return {"workflow": workflow[True]["push"]["branches"], "Bicep": trusted}


def image_name(tree: Tree) -> dict[str, Any]:
    """The image, without its registry."""
    names = re.compile(r"[\s\"/](\w+):\$GITHUB_SHA")
    images = {pod.container["image"] for pod in ours(tree.overlay("azure-prod"))}
    return {
        "ci": set(names.findall(tree.text(".github/workflows/ci.yml"))),
        "roll-out": set(names.findall(tree.text(".github/workflows/roll-out.yml"))),
        "deploy script": set(re.findall(r"(\w+):\$tag", tree.text("infra_bicep/deploy.sh"))),
        "manifests": {image.split("@")[0].rsplit("/")[-1] for image in images},
    }


def vault_readers(tree: Tree) -> dict[str, Any]:
    """Who may read the secret, and whose pods mount it."""
    readers = tree.bicep("main.bicep")["modules"]["keyvault"]["config"]["params"]["readerPrincipalIds"]
    mounting = of_kind(tree.overlay("azure-prod"), "SecretProviderClass")
    return {
        "Bicep": {who for reader in readers for who in _names(reader)} - {"objectId"},
        "manifests": set(mounting),
    }


def vault_secret(tree: Tree) -> dict[str, Any]:
    """The secret's name."""
    classes = of_kind(tree.overlay("azure-prod"), "SecretProviderClass").items()
    named = {name: re.findall(r"objectName: (\S+)", c["spec"]["parameters"]["objects"]) for name, c in classes}
    return {"Bicep": [tree.resource("modules/keyvault.bicep", "connectionString")["name"]], **named}


def database_name(tree: Tree) -> dict[str, Any]:
    """The database in the server."""
    urls = re.findall(r"value: postgresql\+entra://[^/]+/(\w+)", tree.text("k8s/overlays/azure/score.yaml"))
    return {
        "settings": tree.setting("database_name"),
        "Bicep": tree.resource("modules/postgres.bicep", "database")["name"],
        "manifests": urls[0],
    }


def add_on(tree: Tree) -> dict[str, Any]:
    """The namespace of KEDA's HTTP add-on."""
    scaled = of_kind(tree.overlay("azure-prod"), "ScaledObject")
    addresses = [scaled[door]["spec"]["triggers"][0]["metadata"]["scalerAddress"] for door in ("ingest", "alerts")]
    script = tree.text("infra_bicep/deploy.sh")
    return {
        "deploy script": set(re.findall(r"--namespace (keda\S*)", script)),
        "manifests": {address.split(".")[1].split(":")[0] for address in addresses},
    }


def providers(tree: Tree) -> dict[str, Any]:
    """Whose resources there are: a new subscription is told of each, and of Compute, which AKS uses itself."""
    templates = [file.read_text() for file in (tree.root / "infra_bicep").rglob("*.bicep")]
    used = {name for text in templates for name in re.findall(r"'Microsoft\.(\w+)/", text)}
    [told] = re.findall(r"for provider in ([\w\s\\]+?); do", tree.text("docs/deploy.md"))
    return {"Bicep": used - {"Authorization"} | {"Compute"}, "docs/deploy.md": set(told.replace("\\", "").split())}


SAME = (
    queue_name, queue_rules, user, ports, identities, environments, pushing_branch, image_name, vault_readers,
    vault_secret, database_name, add_on, providers, *NAMES, *LOGINS,
)  # fmt: skip


def limits(tree: Tree) -> dict[str, bool]:
    """What must be longer than what, as sentences that are true or not."""
    lock = re.fullmatch(
        r"PT(\d+)M", tree.resource("modules/servicebus.bicep", "transactions")["properties"]["lockDuration"]
    )
    seconds = int(lock[1]) * 60 if lock else 0
    extensions = json.loads(tree.text("host.json"))["extensions"]
    budget = tree.setting("retry_budget_seconds")
    [longest] = map(
        int, re.findall(r"(\d+) s where the outage ends at the last moment", tree.text("docs/delivery.md"))
    )
    [score] = [pod for pod in pods(tree.overlay("azure-prod")) if pod.owner == "score"]
    return {
        "a batch that waits for an outage ends before Service Bus takes its lock back": seconds > longest,
        "the longest batch waits at least the retry budget": budget < longest,
        "a stopped scorer may finish its batch": score.spec["terminationGracePeriodSeconds"] > longest,
        "RabbitMQ's prefetched messages may each wait for an outage": (
            extensions["rabbitMQ"]["prefetchCount"] * budget < RABBITMQ_ACKNOWLEDGEMENT
        ),
        "no message of Service Bus ages in a buffer": extensions["serviceBus"]["prefetchCount"] == 0,
        "paths are what the doors say": extensions["http"]["routePrefix"] == "",
    }


def outputs(tree: Tree) -> tuple[set[str], set[str]]:
    """What the Azure overlay reads, and what Bicep puts out for it."""
    lines = tree.text("k8s/overlays/azure/azure.env").splitlines()
    wanted = {line.split("=")[0] for line in lines if line and not line.startswith("#")}
    return wanted - {"IMAGE_DIGEST"}, set(tree.bicep("main.bicep")["outputs"])


def granted(tree: Tree) -> set[tuple[str, str, str]]:
    """(scope, who, role) of all role assignments; a scope of the resource group is empty."""
    files = sorted((tree.root / "infra_bicep").rglob("*.bicep"))
    bodies = [
        inside(resource["config"])
        for file in files
        for resource in parse(file.read_text()).get("resources", {}).values()
        if resource["type"] == ASSIGNMENT
    ]
    return {(str(body.get("scope", "")), *_who_and_role(body["properties"])) for body in bodies}


def disagreement(fact: Callable[[Tree], dict[str, Any]], tree: Tree) -> dict[str, Any]:
    """What each place says, where they do not all say the same; else nothing."""
    said = fact(tree)
    first = next(iter(said.values()))
    return said if any(other != first for other in said.values()) else {}


def _who_and_role(properties: Mapping[str, Any]) -> tuple[str, str]:
    who = [name for name in _names(properties["principalId"]) if name not in {"identities", "outputs", "objectId"}]
    role = [name for name in _names(properties["roleDefinitionId"]) if name != "roles"]
    return who[0].removesuffix("PrincipalId"), role[0]


def _names(value: Any) -> Iterator[str]:
    """All words of an expression but those of types."""
    if isinstance(value, dict):
        for name, content in value.items():
            if name != "type":
                yield from _names(content)
    elif isinstance(value, str) and value and "/" not in value and value not in {"identities", "outputs"}:
        yield str(value)
