"""Names, ports and addresses that Bicep, manifests, scripts and documents must spell alike, place by place."""

import re
from typing import Any

from tests.deploy.cluster import of_kind
from tests.deploy.tree import Tree

# What the chart keda-add-ons-http makes where its values do not say otherwise: (Service, port).
INTERCEPTOR = ("keda-add-ons-http-interceptor-proxy", 8080)
SCALER = ("keda-add-ons-http-external-scaler", 9090)


def cluster_name(tree: Tree) -> dict[str, Any]:
    """The cluster of an environment."""
    return {
        "Bicep": _of_environment(tree.resource("modules/cluster.bicep", "cluster")["name"]),
        "deploy script": _only(r'"(aks-[^"]+)"', tree.text("infra_bicep/deploy.sh")).replace("$env", "ENV"),
    }


def budget_name(tree: Tree) -> dict[str, Any]:
    """The budget of an environment, whose start the script asks for."""
    return {
        "Bicep": _of_environment(tree.resource("modules/budget.bicep", "budget")["name"]),
        "deploy script": _only(r'"(budget-[^"]+)"', tree.text("infra_bicep/deploy.sh")).replace("$env", "ENV"),
    }


def environment_names(tree: Tree) -> dict[str, Any]:
    """What `--env` names: a parameter file, what that file calls its environment, an overlay."""
    files = sorted((tree.root / "infra_bicep").glob("*.bicepparam"))
    overlays = (tree.root / "k8s" / "overlays").glob("azure-*")
    return {
        "files": {file.stem for file in files},
        "parameters": {_only(r"^param environmentName = '(\w+)'$", file.read_text()) for file in files},
        "overlays": {overlay.name.removeprefix("azure-") for overlay in overlays},
    }


def deployment_name(tree: Tree) -> dict[str, Any]:
    """The deployment whose outputs are read."""
    script = tree.text("infra_bicep/deploy.sh")
    return {
        "made": set(re.findall(r'local what=\(--resource-group "\$group" --name (\w+)', script)),
        "read": set(re.findall(r'group show --resource-group "\$group" --name (\w+)', script)),
        "docs/deploy.md": set(
            re.findall(r"group show --resource-group \S+ --name (\w+)", tree.text("docs/deploy.md"))
        ),
    }


def namespace(tree: Tree) -> dict[str, Any]:
    """The namespace of doors and jobs."""
    logs = _only(r"namespaces: \['(\w+)', 'keda'\]", tree.text("infra_bicep/modules/monitoring.bicep"))
    manifests = tree.overlay("azure-prod")
    return {
        "manifests": {
            each["metadata"]["namespace"] for each in manifests if each["kind"] in {"Deployment", "Job"}
        },
        "apply": set(re.findall(r"--namespace (\w+)", tree.text("k8s/apply.sh"))),
        "deploy script": set(
            re.findall(r"deployment score --namespace (\w+)", tree.text("infra_bicep/deploy.sh"))
        ),
        "logs": {logs},
    }


def setup_jobs(tree: Tree) -> dict[str, Any]:
    """The label of the Jobs that come before the doors: of the Job, and of the pods whose words are shown."""
    label, value = _only(r"^setup=(\S+)$", tree.text("k8s/apply.sh")).split("=")
    jobs = of_kind(tree.overlay("azure-prod"), "Job").values()
    return {
        "apply": {value},
        "Jobs": {job["metadata"]["labels"].get(label) for job in jobs},
        "pods": {job["spec"]["template"]["metadata"]["labels"].get(label) for job in jobs},
    }


def redis_port(tree: Tree) -> dict[str, Any]:
    """Where Managed Redis listens."""
    return {
        "Bicep": tree.resource("modules/redis.bicep", "database")["properties"]["port"],
        "network": _only_port(tree, "azure-prod", "doors-to-redis"),
        "example": int(_only(r"^REDIS_PORT=(\d+)$", tree.text("k8s/overlays/azure/azure.env"))),
    }


def postgres_port(tree: Tree) -> dict[str, Any]:
    """Where PostgreSQL listens; Azure's URLs name no port, so that it is the usual one."""
    return {
        "settings": tree.setting("database_port"),
        "network on Azure": _only_port(tree, "azure-prod", "doors-and-jobs-to-postgres"),
        "local": of_kind(tree.overlay("local"), "Service")["postgres"]["spec"]["ports"][0]["port"],
    }


def models_container(tree: Tree) -> dict[str, Any]:
    """The blob container of models."""
    return {
        "Bicep": tree.resource("modules/storage.bicep", "models")["name"],
        "output": _only(
            r"output modelsUrl string = '\$\{[\w.]+\}(\w+)'", tree.text("infra_bicep/modules/storage.bicep")
        ),
        "example": _only(r"^MODELS_URL=https://[^/]+/(\w+)$", tree.text("k8s/overlays/azure/azure.env")),
    }


def certificate(tree: Tree) -> dict[str, Any]:
    """The Secret with the gateway's certificate, and its namespace."""
    [gateway] = of_kind(tree.overlay("azure-prod"), "Gateway").values()
    secrets = {ref["name"] for each in gateway["spec"]["listeners"] for ref in each["tls"]["certificateRefs"]}
    return {
        "gateway": {(secret, gateway["metadata"]["namespace"]) for secret in secrets},
        "docs/deploy.md": set(re.findall(r"secret tls (\S+) --namespace (\S+)", tree.text("docs/deploy.md"))),
    }


def gateway(tree: Tree) -> dict[str, Any]:
    """The gateway that routes hang on."""
    manifests = tree.overlay("azure-prod")
    routes = of_kind(manifests, "HTTPRoute").values()
    parents = [parent for each in routes for parent in each["spec"]["parentRefs"]]
    made = [each["metadata"] for each in of_kind(manifests, "Gateway").values()]
    return {
        "made": {(each["name"], each["namespace"]) for each in made},
        "routes": {(each["name"], each["namespace"]) for each in parents},
    }


def interceptor(tree: Tree) -> dict[str, Any]:
    """The add-on's way in: Service, port and namespace."""
    manifests = tree.overlay("azure-prod")
    backends = [
        b for route in of_kind(manifests, "HTTPRoute").values() for b in route["spec"]["rules"][0]["backendRefs"]
    ]
    [grant] = of_kind(manifests, "ReferenceGrant").values()
    forwards = re.compile(r"port-forward --namespace (\S+) service/(\S+) :?(\d+)")
    scripts = {file: forwards.findall(tree.text(file)) for file in ("infra_bicep/deploy.sh", "k8s/kind/up.sh")}
    name, port = INTERCEPTOR
    return {
        "chart": {("keda", name, port)},
        "routes": {(b["namespace"], b["name"], b["port"]) for b in backends},
        "grant": {(grant["metadata"]["namespace"], to["name"], port) for to in grant["spec"]["to"]},
        **{file: {(where, who, int(at)) for where, who, at in found} for file, found in scripts.items()},
    }


def external_scaler(tree: Tree) -> dict[str, Any]:
    """Where KEDA asks the add-on how many requests are in flight."""
    name, port = SCALER
    pushed = [
        trigger["metadata"]["scalerAddress"]
        for each in of_kind(tree.overlay("azure-prod"), "ScaledObject").values()
        for trigger in each["spec"]["triggers"]
        if trigger["type"] == "external-push"
    ]
    return {"chart": {f"{name}.keda:{port}"}, "manifests": set(pushed)}


def _only(pattern: str, text: str) -> str:
    [found] = re.findall(pattern, text, flags=re.MULTILINE)
    return str(found)


def _of_environment(name: str) -> str:
    return name.replace("${environmentName}", "ENV")


def _only_port(tree: Tree, overlay: str, policy: str) -> Any:
    [rule] = of_kind(tree.overlay(overlay), "NetworkPolicy")[policy]["spec"]["egress"]
    [port] = rule["ports"]
    return port["port"]


NAMES = (
    cluster_name, budget_name, environment_names, deployment_name, namespace, setup_jobs, redis_port,
    postgres_port, models_container, certificate, gateway, interceptor, external_scaler,
)  # fmt: skip
