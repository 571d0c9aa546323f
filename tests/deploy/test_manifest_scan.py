"""checkov's rules for Kubernetes over the production overlay."""

import json
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from tests.deploy.cluster import of_kind
from tests.deploy.manifests import Manifest, render
from tests.deploy.tools import ROOT, Tool

# The Functions host takes its telemetry's connection string from a variable only.
ACCEPTED = {("CKV_K8S_35", "Deployment.fraudsense.ingest"), ("CKV_K8S_35", "Deployment.fraudsense.score")}


@pytest.fixture(scope="session")
def production(kubectl: Tool) -> list[Manifest]:
    return render(kubectl, ROOT / "k8s" / "overlays" / "azure-prod")


def findings(checkov: Tool, manifests: list[Manifest], folder: Path) -> set[tuple[str, str]]:
    """(rule, object) of all that checkov finds."""
    file = folder / "rendered.yaml"
    file.write_text(yaml.safe_dump_all(manifests))
    options = ("--framework", "kubernetes", "--output", "json", "--skip-download", "--soft-fail", "--quiet")
    result = checkov("--file", file, *options)
    report = json.loads(result.stdout[result.stdout.index("{") :])
    assert report["summary"]["parsing_errors"] == 0
    return {(found["check_id"], found["resource"]) for found in report["results"]["failed_checks"]}


def test_checkov_finds_in_production_only_what_the_functions_host_forces(
    checkov: Tool, production: list[Manifest], tmp_path: Path
) -> None:
    assert findings(checkov, production, tmp_path) == ACCEPTED


def test_checkov_finds_a_container_that_may_do_anything(
    checkov: Tool, production: list[Manifest], tmp_path: Path
) -> None:
    broken = deepcopy(of_kind(production, "Deployment")["alerts"])
    broken["spec"]["template"]["spec"]["containers"][0]["securityContext"] = {"privileged": True}

    assert ("CKV_K8S_16", "Deployment.fraudsense.alerts") in findings(checkov, [broken], tmp_path)
