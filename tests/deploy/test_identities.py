"""The Azure overlay: every pod has an identity, every example value reaches nothing, and none is left behind."""

from collections.abc import Mapping
from pathlib import Path
from shutil import copytree

import pytest

from tests.deploy.cluster import of_kind, ours
from tests.deploy.manifests import Manifest, render
from tests.deploy.tools import ROOT, Tool

AZURE_ENV = Path("overlays", "azure", "azure.env")
CLIENT_ID = "azure.workload.identity/client-id"


def read(path: Path) -> Mapping[str, str]:
    """The names and values of an env file."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture(scope="session")
def values() -> Mapping[str, str]:
    """As an environment's outputs might be."""
    example = read(ROOT / "k8s" / AZURE_ENV)
    own = {name: f"own-{name.lower().replace('_', '-')}" for name in example}
    return own | {"IMAGE_DIGEST": f"sha256:{'a' * 64}", "SERVICEBUS_FQDN": "own-bus.servicebus.windows.net"}


@pytest.fixture(scope="session")
def deployed(kubectl: Tool, tmp_path_factory: pytest.TempPathFactory, values: Mapping[str, str]) -> list[Manifest]:
    """The overlay with those values in a copy, as the deploy script makes it."""
    copy = tmp_path_factory.mktemp("deployed") / "k8s"
    copytree(ROOT / "k8s", copy)
    (copy / AZURE_ENV).write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    return render(kubectl, copy / "overlays" / "azure-prod")


def test_the_committed_values_reach_nothing() -> None:
    example = read(ROOT / "k8s" / AZURE_ENV)
    hosts = {
        name: value for name, value in example.items() if name.endswith(("_HOST", "_FQDN", "_URL", "_SERVER"))
    }
    ids = [value for name, value in example.items() if name.endswith(("_ID", "_DIGEST"))]

    assert {value.split("/models")[0].rpartition(".")[2] for value in hosts.values()} == {"invalid"}
    assert all(value.removeprefix("sha256:").startswith("0000") for value in ids)


def examples(manifests: list[Manifest]) -> list[str]:
    """Values of the committed files that stand for others."""
    return [text for text in str(manifests).split("'") if "invalid" in text or "00000000" in text]


def test_no_example_value_is_left_once_a_deployment_wrote_its_own(kubectl: Tool, deployed: list[Manifest]) -> None:
    assert examples(deployed) == []
    assert examples(render(kubectl, ROOT / "k8s" / "overlays" / "azure-prod"))


def test_each_pod_runs_as_its_own_identity(deployed: list[Manifest], values: Mapping[str, str]) -> None:
    accounts = of_kind(deployed, "ServiceAccount")

    assert {name: account["metadata"]["annotations"][CLIENT_ID] for name, account in accounts.items()} == {
        who: values[f"{who.upper()}_CLIENT_ID"] for who in ("ingest", "score", "alerts", "jobs")
    }
    assert {pod.owner: pod.spec["serviceAccountName"] for pod in ours(deployed)} == {
        "ingest": "ingest", "score": "score", "alerts": "alerts",
        "migrate": "jobs", "partitions": "jobs", "retention": "jobs", "signals": "jobs",
    }  # fmt: skip
    assert [pod.owner for pod in ours(deployed) if pod.labels.get("azure.workload.identity/use") != "true"] == []


def test_images_come_from_the_registry_by_digest(deployed: list[Manifest], values: Mapping[str, str]) -> None:
    assert {pod.container["image"] for pod in ours(deployed)} == {
        f"{values['ACR_LOGIN_SERVER']}/fraudsense@{values['IMAGE_DIGEST']}"
    }


def test_keda_asks_for_the_queue_with_its_own_identity(
    deployed: list[Manifest], values: Mapping[str, str]
) -> None:
    login = of_kind(deployed, "TriggerAuthentication")["score"]["spec"]["podIdentity"]
    [trigger] = of_kind(deployed, "ScaledObject")["score"]["spec"]["triggers"]

    assert login == {
        "provider": "azure-workload",
        "identityId": values["KEDA_CLIENT_ID"],
        "identityTenantId": values["TENANT_ID"],
    }
    assert trigger["metadata"]["namespace"] == "own-bus"


def test_the_one_secret_is_read_with_each_doors_own_identity(
    deployed: list[Manifest], values: Mapping[str, str]
) -> None:
    classes = of_kind(deployed, "SecretProviderClass")
    mounting = {
        pod.owner: volume["csi"]["volumeAttributes"]["secretProviderClass"]
        for pod in ours(deployed) for volume in pod.spec["volumes"] if "csi" in volume
    }  # fmt: skip

    assert mounting == {"ingest": "ingest", "score": "score"}
    assert of_kind(deployed, "Secret") == {}
    for name, each in classes.items():
        parameters = each["spec"]["parameters"]
        assert parameters["clientID"] == values[f"{name.upper()}_CLIENT_ID"]
        assert (parameters["keyvaultName"], parameters["tenantId"]) == (
            values["KEYVAULT_NAME"],
            values["TENANT_ID"],
        )
