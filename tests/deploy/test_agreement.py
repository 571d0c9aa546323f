"""Bicep, manifests, host.json, settings, compose, image and workflows agree; each check sees where they do not."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.agreement import SAME, disagreement, granted, limits, outputs
from tests.deploy.tools import ROOT, Tool
from tests.deploy.tree import Tree

Fact = Callable[[Tree], dict[str, Any]]

FACTS = {fact.__name__: fact for fact in SAME}

PARTS = (
    "infra_bicep", "k8s", "deploy", ".github", "shared/settings.py", "docs/delivery.md", "docs/deploy.md",
    "host.json", "Dockerfile", "compose.yaml", "functions/score/blueprint.py",
)  # fmt: skip

IDENTITIES, FEDERATION = "infra_bicep/modules/identities.bicep", "infra_bicep/modules/federation.bicep"
MAIN = "infra_bicep/main.bicep"
BEHIND = "k8s/components/http-scale-to-zero/behind-gateway/kustomization.yaml"

BUILDKIT = re.compile(r"^(RUN|COPY|ADD)\b.* ?(--(mount|link|chmod|parents|network|security)\b|<<)", re.MULTILINE)

# (on what, who, role): whoever adds a right says here what for.
ROLES = {
    ("transactions", "ingest", "serviceBusDataSender"),  # publishes
    ("transactions", "score", "serviceBusDataReceiver"),  # takes
    ("transactions", "score", "serviceBusDataSender"),  # puts newer envelopes back
    ("namespace", "keda", "serviceBusDataOwner"),  # counts messages, which no smaller role may
    ("models", "score", "storageBlobDataReader"),  # loads models
    ("models", "jobs", "storageBlobDataContributor"),  # registers them
    ("connectionString", "principalId", "keyVaultSecretsUser"),  # each whose pods mount it
    ("registry", "kubelet", "acrPull"),
    ("registry", "github", "acrPush"),
    ("nodes", "cluster", "networkContributor"),  # joins nodes to their subnet
    ("cluster", "operatorObjectId", "clusterAdmin"),  # installs charts
    ("cluster", "github", "clusterUser"),  # gets the cluster's address
    ("cluster", "github", "clusterAdmin"),  # applies a namespace and custom resources
    ("", "github", "reader"),  # reads the last deployment's outputs
}

# Azure's built-in roles, the same in every tenant.
BUILT_IN = {
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": "acrPull",
    "8311e382-0749-4cb8-b61a-304f252e45ec": "acrPush",
    "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b": "clusterAdmin",
    "4abbcc35-e782-43d8-92c5-2d3f1bd2253f": "clusterUser",
    "4633458b-17de-408a-b874-0445c86b69e6": "keyVaultSecretsUser",
    "4d97b98b-1d4f-4787-a291-c67834d212e7": "networkContributor",
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": "reader",
    "090c5cfd-751d-490a-894a-3ce6f1109419": "serviceBusDataOwner",
    "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0": "serviceBusDataReceiver",
    "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39": "serviceBusDataSender",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "storageBlobDataContributor",
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "storageBlobDataReader",
}


@pytest.fixture(scope="session")
def tree(kubectl: Tool) -> Tree:
    """The repository."""
    return Tree(ROOT, kubectl)


@pytest.fixture
def changed(kubectl: Tool, tmp_path: Path) -> Callable[[str, str, str], Tree]:
    """The repository with one text replaced in one file."""

    def change(file: str, old: str, new: str) -> Tree:
        for part in PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
            copy(ROOT / part, tmp_path / part)
        assert old in (tmp_path / file).read_text()
        (tmp_path / file).write_text((tmp_path / file).read_text().replace(old, new))
        return Tree(tmp_path, kubectl)

    return change


@pytest.mark.parametrize("fact", SAME, ids=lambda fact: fact.__name__)
def test_all_places_say_the_same(fact: Fact, tree: Tree) -> None:
    assert disagreement(fact, tree) == {}


@pytest.mark.parametrize(
    ("fact", "file", "old", "new"),
    [
        ("queue_name", "infra_bicep/modules/servicebus.bicep", "name: 'transactions'", "name: 'payments'"),
        ("queue_name", "k8s/base/score/scaledobject.yaml", "queueName: transactions", "queueName: payments"),
        ("queue_name", "shared/settings.py", '"transactions", description', '"payments", description'),
        ("queue_rules", "infra_bicep/modules/servicebus.bicep", "maxDeliveryCount: 10", "maxDeliveryCount: 3"),
        ("queue_rules", "deploy/compose/servicebus.json", "PT5M", "PT1M"),
        ("user", "Dockerfile", "USER 10001:10001", "USER 10002:10001"),
        ("user", "k8s/base/alerts/deployment.yaml", "runAsUser: 10001", "runAsUser: 10002"),
        ("ports", "compose.yaml", "7072:7072", "7072:7073"),
        ("ports", "k8s/base/alerts/deployment.yaml", "containerPort: 8080", "containerPort: 80"),
        ("identities", FEDERATION, "fraudsense:score", "fraudsense:scorer"),
        ("identities", FEDERATION, "kube-system:keda", "keda:keda"),
        ("environments", ".github/workflows/cd.yml", "environment: production", "environment: live"),
        ("environments", "infra_bicep/prod.bicepparam", "['production']", "['staging']"),
        ("pushing_branch", ".github/workflows/ci.yml", "branches: [main]", "branches: [trunk]"),
        ("image_name", "infra_bicep/deploy.sh", "fraudsense:$tag", "scoring:$tag"),
        ("vault_readers", "infra_bicep/main.bicep", "score.objectId\n    ]", "jobs.objectId\n    ]"),
        ("vault_secret", "infra_bicep/modules/keyvault.bicep", "'appinsights-connection-string'", "'appinsights'"),
        ("database_name", "infra_bicep/modules/postgres.bicep", "name: 'fraudsense'", "name: 'postgres'"),
        ("providers", "docs/deploy.md", " ServiceBus Storage", " Storage"),
        ("add_on", "infra_bicep/deploy.sh", "--namespace keda ", "--namespace keda-http "),
        ("cluster_name", "infra_bicep/modules/cluster.bicep", "'aks-fraudsense-", "'aks-scoring-"),
        ("budget_name", "infra_bicep/deploy.sh", "budget-fraudsense-", "budget-scoring-"),
        ("environment_names", "infra_bicep/dev.bicepparam", "environmentName = 'dev'", "environmentName = 'test'"),
        ("deployment_name", "docs/deploy.md", "dev --name fraudsense", "dev --name main"),
        ("namespace", "k8s/apply.sh", "--namespace fraudsense", "--namespace scoring"),
        ("namespace", "infra_bicep/modules/monitoring.bicep", "['fraudsense', 'keda']", "['scoring', 'keda']"),
        ("setup_jobs", "k8s/apply.sh", "component=setup", "component=migration"),
        ("redis_port", "infra_bicep/modules/redis.bicep", "port: 10000", "port: 6380"),
        ("redis_port", "k8s/overlays/azure/network.yaml", "port: 10000", "port: 6380"),
        ("postgres_port", "k8s/overlays/azure/network.yaml", "port: 5432", "port: 6432"),
        ("models_container", "infra_bicep/modules/storage.bicep", "name: 'models'", "name: 'model'"),
        ("certificate", "k8s/components/gateway/gateway.yaml", "name: fraudsense-tls", "name: tls"),
        ("gateway", "k8s/components/gateway/alerts.yaml", "- name: fraudsense\n", "- name: public\n"),
        ("interceptor", BEHIND, "port: 8080", "port: 80"),
        ("interceptor", BEHIND, "keda-add-ons-http-interceptor-proxy", "interceptor-proxy"),
        ("interceptor", "k8s/kind/up.sh", "interceptor-proxy 8080", "interceptor-proxy 80"),
        ("interceptor", "infra_bicep/deploy.sh", "interceptor-proxy :8080", "interceptor-proxy :80"),
        ("external_scaler", "k8s/components/http-scale-to-zero/alerts.yaml", ":9090", ":9091"),
        ("identity_order", IDENTITIES, "['ingest', 'score',", "['score', 'ingest',"),
        ("identity_order", IDENTITIES, "clientId: workload[1]", "clientId: workload[2]"),
        ("federated", FEDERATION, "who: 'score'", "who: 'alerts'"),
        ("handed_on", MAIN, "PrincipalId: identities.outputs.score", "PrincipalId: identities.outputs.jobs"),
        ("handed_on", MAIN, "identities.outputs.keda.clientId", "identities.outputs.jobs.clientId"),
        ("handed_on", MAIN, "outputs.alerts.objectId\noutput INGEST", "outputs.alerts.clientId\noutput INGEST"),
        ("services_users", MAIN, "outputs.alerts.objectId\n    ]", "outputs.jobs.objectId\n    ]"),
        ("services_users", MAIN, "adminName: identities.outputs.jobs", "adminName: identities.outputs.score"),
        ("identity_names", FEDERATION, "}-github'", "}-workflows'"),
        ("github_subjects", FEDERATION, "'${githubSubjectPrefix}:", "'repo:${githubSubjectPrefix}:"),
        ("github_subjects", FEDERATION, "'environment:$", "'env:$"),
        ("github_subjects", ".github/workflows/ci.yml", "branches: [main]", "branches: [trunk]"),
        ("logins", "k8s/overlays/azure/alerts.yaml", "ALERTS_OBJECT_ID", "SCORE_OBJECT_ID"),
        ("telemetry_secrets", "k8s/overlays/azure/score.yaml", "name: score-telemetry", "name: telemetry"),
        ("service_bus_connection", "functions/score/blueprint.py", '"FRAUDSENSE_SERVICEBUS', '"SERVICEBUS'),
    ],
)  # fmt: skip
def test_a_place_that_says_something_else_is_seen(
    changed: Callable[[str, str, str], Tree], fact: str, file: str, old: str, new: str
) -> None:
    assert disagreement(FACTS[fact], changed(file, old, new)) != {}


def test_what_must_be_longer_is(tree: Tree) -> None:
    assert [sentence for sentence, true in limits(tree).items() if not true] == []


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("infra_bicep/modules/servicebus.bicep", "PT5M", "PT4M"),
        ("docs/delivery.md", "253 s where the outage ends", "280 s where the outage ends"),
        ("shared/settings.py", "Field(180, ge=0", "Field(280, ge=0"),
        (
            "k8s/base/score/deployment.yaml",
            "terminationGracePeriodSeconds: 270",
            "terminationGracePeriodSeconds: 30",
        ),
        ("host.json", '"prefetchCount": 8', '"prefetchCount": 50'),
        ("host.json", '"prefetchCount": 0', '"prefetchCount": 20'),
        ("host.json", '"routePrefix": ""', '"routePrefix": "api"'),
    ],
)
def test_what_is_too_short_is_seen(
    changed: Callable[[str, str, str], Tree], file: str, old: str, new: str
) -> None:
    assert not all(limits(changed(file, old, new)).values())


def test_bicep_puts_out_what_the_overlay_reads(tree: Tree) -> None:
    wanted, given = outputs(tree)

    assert wanted - given == set()


def test_an_output_that_is_missing_is_seen(changed: Callable[[str, str, str], Tree]) -> None:
    wanted, given = outputs(changed("infra_bicep/main.bicep", "output MODELS_URL ", "output MODEL_URL "))

    assert wanted - given == {"MODELS_URL"}


def test_everybody_has_these_rights_and_no_others(tree: Tree) -> None:
    assert granted(tree) == ROLES


def test_a_right_more_is_seen(changed: Callable[[str, str, str], Tree]) -> None:
    more = changed(
        "infra_bicep/modules/storage.bicep", "roles.storageBlobDataReader", "roles.storageBlobDataContributor"
    )

    assert granted(more) - ROLES == {("models", "score", "storageBlobDataContributor")}


def test_the_image_can_be_built_without_buildkit_which_az_acr_build_has_not(tree: Tree) -> None:
    assert "az acr build" in tree.text("infra_bicep/deploy.sh")
    assert not BUILDKIT.search(tree.text("Dockerfile"))


@pytest.mark.parametrize("line", ["RUN --mount=type=cache,target=/x true", "COPY --link a b", "RUN <<END"])
def test_what_only_buildkit_reads_is_seen(line: str) -> None:
    assert BUILDKIT.search(f"FROM x\n{line}\n")


def test_role_ids_are_azures(tree: Tree) -> None:
    named = tree.bicep("roles.bicep")["variables"]["roles"]["value"]

    assert {number: name for name, number in named.items()} == BUILT_IN
