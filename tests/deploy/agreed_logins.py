"""Who logs in as whom: identities, tokens and secrets that Bicep, manifests and workflows must spell alike."""

import re
from typing import Any

import yaml

from tests.deploy.cluster import of_kind, ours
from tests.deploy.manifests import Manifest
from tests.deploy.tree import Tree

PREFIX = "repo:OWNER/NAME"


def identity_order(tree: Tree) -> dict[str, Any]:
    """The workloads' identities, which are put out by their place in a list."""
    bodies = re.findall(r"output (\w+) object = \{([^}]*)\}", tree.text("infra_bicep/modules/identities.bicep"))
    places = {who: set(re.findall(r"workload\[(\d)\]", body)) for who, body in bodies if "workload[" in body}
    made = tree.bicep("modules/identities.bicep")["variables"]["workloads"]["value"]
    return {"made": {who: {str(place)} for place, who in enumerate(made)}, "put out": places}


def identity_names(tree: Tree) -> dict[str, Any]:
    """How an identity is named, where it is made and where it is given credentials."""
    files = ("modules/identities.bicep", "modules/federation.bicep")
    named = {
        file: (tree.resource(file, "workload")["name"], tree.resource(file, "github")["name"]) for file in files
    }
    return {file: [name.replace("account.who", "who") for name in names] for file, names in named.items()}


def federated(tree: Tree) -> dict[str, Any]:
    """Which identity each ServiceAccount stands for: the one of its name, and `keda` for KEDA's operator."""
    accounts = tree.bicep("modules/federation.bicep")["variables"]["serviceAccounts"]["value"]
    return {
        "names": [each["who"].replace("keda", "keda-operator") for each in accounts],
        "subjects": [each["subject"].rpartition(":")[2] for each in accounts],
    }


def handed_on(tree: Tree) -> dict[str, Any]:
    """Whose identity modules get and outputs tell: that of the name under which they get or tell it."""
    text = tree.text("infra_bicep/main.bicep")
    outputs = re.findall(r"^output ([A-Z]+)_(\w+) string = identities\.outputs\.(\w+)\.(\w+)$", text, re.MULTILINE)
    given = re.findall(r"(\w+)PrincipalId: identities\.outputs\.(\w+)\.(\w+)", text)
    what = {"CLIENT_ID": "clientId", "OBJECT_ID": "objectId", "NAME": "name"}
    return {
        "named": [(who.lower(), what[value]) for who, value, _, _ in outputs]
        + [(who, "objectId") for who, *_ in given],
        "meant": [(who, value) for _, _, who, value in outputs] + [(who, value) for _, who, value in given],
    }


def services_users(tree: Tree) -> dict[str, Any]:
    """Who logs in to Redis, and who owns the database, in Bicep and in the manifests."""
    modules = tree.bicep("main.bicep")["modules"]
    owner, users = modules["postgres"]["config"]["params"], modules["redis"]["config"]["params"]["userObjectIds"]
    pods = ours(tree.overlay("azure-prod"))
    doors = {pod.owner for pod in pods if any(each["name"] == "REDIS_LOGIN" for each in pod.container["env"])}
    [migrates] = [pod.spec["serviceAccountName"] for pod in pods if pod.owner == "migrate"]
    return {
        "Bicep": ({_whose(user) for user in users}, {_whose(owner["adminName"]), _whose(owner["adminObjectId"])}),
        "manifests": (doors, {migrates}),
    }


def github_subjects(tree: Tree) -> dict[str, Any]:
    """Whose tokens Azure takes for the workflows': main's, and those of deployment environments."""
    branches = yaml.safe_load(tree.text(".github/workflows/ci.yml"))[True]["push"]["branches"]
    jobs = yaml.safe_load(tree.text(".github/workflows/cd.yml"))["jobs"].values()
    federation = tree.text("infra_bicep/modules/federation.bicep")
    tails = re.findall(r"'(ref:refs/heads/\w+|environment:\$\{name\})'", federation)
    subject = tree.resource("modules/federation.bicep", "fromGithub")["properties"]["subject"]
    environments = [job["with"]["environment"] for job in jobs]
    trusted = {
        subject.replace("${subject}", tail.replace("${name}", name)) for tail in tails for name in environments
    }
    return {
        "tokens": {f"{PREFIX}:ref:refs/heads/{branch}" for branch in branches}
        | {f"{PREFIX}:environment:{name}" for name in environments},
        "Bicep": {each.replace("${githubSubjectPrefix}", PREFIX) for each in trusted},
    }


def logins(tree: Tree) -> dict[str, Any]:
    """As whom each pod logs in, by key of the ConfigMap `azure`: as itself, or as `jobs`."""
    found = {pod.owner: _keys(pod.container["env"]) for pod in ours(tree.overlay("azure-prod"))}
    wanted = {who: {f"{_account(who)}_{what}" for what in _wanted(who)} for who in found}
    return {"env": found, "own": wanted}


def telemetry_secrets(tree: Tree) -> dict[str, Any]:
    """The Secret with the connection string: of the class that a pod mounts, and read by its container."""
    manifests = tree.overlay("azure-prod")
    made = {name: (name, *_made(each)) for name, each in of_kind(manifests, "SecretProviderClass").items()}
    read = {
        pod.owner: (volume["csi"]["volumeAttributes"]["secretProviderClass"], *_read(pod.container["env"]))
        for pod in ours(manifests)
        for volume in pod.spec["volumes"]
        if "csi" in volume
    }
    return {"classes": made, "pods": read}


def service_bus_connection(tree: Tree) -> dict[str, Any]:
    """The prefix of the settings by which the trigger and our own clients find the namespace."""
    [score] = [pod for pod in ours(tree.overlay("azure-prod")) if pod.owner == "score"]
    names = {
        each["name"]
        for each in score.container["env"]
        if each["name"].endswith(("__fullyQualifiedNamespace", "__credential", "__clientId"))
    }
    return {
        "trigger": {*re.findall(r'connection="(\w+)"', tree.text("functions/score/blueprint.py"))},
        "manifests": {name.partition("__")[0] for name in names},
        "settings": set(
            re.findall(r'validation_alias="(\w+)__fullyQualifiedNamespace"', tree.text("shared/settings.py"))
        ),
    }


def _whose(expression: Any) -> str:
    """The identity in `identities.outputs.WHO.…`."""
    return str(re.findall(r"'operand_1': '(\w+)'", str(expression))[-1])


def _keys(env: list[Manifest]) -> set[str]:
    """The ConfigMap's keys that stand for somebody."""
    refs = [each.get("valueFrom", {}).get("configMapKeyRef", {}) for each in env]
    return {ref["key"] for ref in refs if ref.get("key", "").endswith(("_NAME", "_OBJECT_ID", "_CLIENT_ID"))}


def _account(who: str) -> str:
    return who.upper() if who in {"ingest", "score", "alerts"} else "JOBS"


def _wanted(who: str) -> set[str]:
    """Everybody a login to PostgreSQL, doors one to Redis, the Functions host's trigger one to Service Bus."""
    if _account(who) == "JOBS":
        return {"NAME"}
    return {"NAME", "OBJECT_ID", "CLIENT_ID"} if who == "score" else {"NAME", "OBJECT_ID"}


def _made(each: Manifest) -> tuple[str, str]:
    [secret] = each["spec"]["secretObjects"]
    [data] = secret["data"]
    return secret["secretName"], data["key"]


def _read(env: list[Manifest]) -> tuple[str, str]:
    [ref] = [e["valueFrom"]["secretKeyRef"] for e in env if "secretKeyRef" in e.get("valueFrom", {})]
    return ref["name"], ref["key"]


LOGINS = (
    identity_order, identity_names, federated, handed_on, services_users, github_subjects, logins,
    telemetry_secrets, service_bus_connection,
)  # fmt: skip
