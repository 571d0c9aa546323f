"""infra_bicep/deploy.sh with programs that write down what they are asked: order, arguments, where it stops."""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from shutil import copytree
from typing import NamedTuple

import pytest
import yaml

from infra_bicep.azure_env import filled
from tests.deploy.tools import ROOT

EXAMPLE = ROOT / "k8s" / "overlays" / "azure" / "azure.env"
DIGEST = f"sha256:{'b' * 64}"

# Answers what the script reads, fails where FAILS says so, and writes everything down.
PROGRAM = """#!/bin/sh
echo "$(basename "$0") $*" >> "$ASKED"
case "$(basename "$0") $*" in
    "$FAILS"*) exit 3 ;;
    "az group exists"*) echo "$EXISTS" ;;
    "az resource show"*) echo 2026-03-01T00:00:00Z ;;
    "az ad signed-in-user"*) echo operator ;;
    "az deployment group create"*) echo "BUDGET_START=$BUDGET_START OPERATOR=$OPERATOR_OBJECT_ID" >> "$ASKED" ;;
    "az deployment group show"*) cat "$OUTPUTS" ;;
    "az acr repository show"*) echo "$DIGEST" ;;
    "az keyvault list"*) echo kv-own ;;
    "kubectl port-forward"*) echo "Forwarding from 127.0.0.1:41234 -> 8080"; exec sleep 5 ;;
    "kubectl get deployment"*) echo "own.azurecr.io/fraudsense@$DIGEST" ;;
esac
"""


class Ran(NamedTuple):
    """What a run of the script came to."""

    code: int
    said: str
    asked: list[str]

    def order(self, *beginnings: str) -> list[str]:
        """The first of these beginnings of each command that has one, in the order of the commands."""
        return [
            next(b for b in beginnings if line.startswith(b)) for line in self.asked if line.startswith(beginnings)
        ]


@pytest.fixture
def outputs() -> Mapping[str, Mapping[str, str]]:
    """As Resource Manager answers: in a case of its own."""
    keys = [line.partition("=")[0] for line in EXAMPLE.read_text().splitlines() if not line.startswith("#")]
    return {f"{key[:4].lower()}{key[4:]}": {"type": "String", "value": f"own-{key.lower()}"} for key in keys}


@pytest.fixture
def deploy(tmp_path: Path, outputs: Mapping[str, object]) -> Callable[..., Ran]:
    """Runs a copy of the script, so that what it writes stays there."""
    root, programs, asked = tmp_path / "root", tmp_path / "bin", tmp_path / "asked"
    for folder in ("infra_bicep", "k8s"):
        copytree(ROOT / folder, root / folder)
    for name in ("az", "kubectl", "kubelogin", "helm", "git", "apply.sh", "python"):
        folder = {"apply.sh": root / "k8s", "python": root / ".venv" / "bin"}.get(name, programs)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(PROGRAM)
        (folder / name).chmod(0o755)
    # The one that reads outputs is the real one.
    real = f'#!/bin/sh\ncase "$1" in *azure_env.py) exec python3 "$@" ;; esac\n{PROGRAM}'
    (root / ".venv" / "bin" / "python").write_text(real)
    (tmp_path / "outputs.json").write_text(json.dumps(outputs))

    def run(*arguments: str, fails: str = "nothing", exists: str = "true", answer: str = "y\n") -> Ran:
        asked.write_text("")
        environment = {
            "PATH": f"{programs}:{os.environ['PATH']}", "ASKED": str(asked), "FAILS": fails, "EXISTS": exists,
            "OUTPUTS": str(tmp_path / "outputs.json"), "DIGEST": DIGEST,
        }  # fmt: skip
        done = subprocess.run(
            [root / "infra_bicep" / "deploy.sh", *arguments],
            check=False, env=environment, text=True, capture_output=True, timeout=60, input=answer,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout + done.stderr, asked.read_text().splitlines())

    return run


STEPS = (
    "az group exists", "az group create", "az deployment group what-if", "az deployment group create",
    "az deployment group show", "az acr build", "az acr repository show", "az aks get-credentials", "kubelogin",
    "helm upgrade", "apply.sh", "kubectl port-forward", "python",
)  # fmt: skip


def test_a_first_deployment_takes_every_step_in_order(deploy) -> None:
    ran = deploy("--env", "dev", "--location", "westeurope", exists="false")

    assert ran.code == 0, ran.said
    assert ran.order(*STEPS) == list(STEPS)


def test_what_exists_keeps_its_region_and_its_budget_its_start(deploy) -> None:
    ran = deploy("--env", "prod")

    assert ran.code == 0, ran.said
    assert "az group create" not in ran.order(*STEPS)
    assert "BUDGET_START=2026-03-01T00:00:00Z OPERATOR=operator" in ran.asked


def test_the_copy_of_the_overlay_holds_the_outputs_and_the_digest(deploy, tmp_path) -> None:
    deploy("--env", "dev")

    written = (tmp_path / "root" / ".local-azure-dev" / "k8s" / "overlays" / "azure" / "azure.env").read_text()
    assert f"IMAGE_DIGEST={DIGEST}\n" in written
    assert "SERVICEBUS_FQDN=own-servicebus_fqdn\n" in written
    assert (tmp_path / "root" / "k8s" / "overlays" / "azure" / "azure.env").read_text() == EXAMPLE.read_text()


def test_the_smoke_test_goes_through_the_forwarded_port(deploy) -> None:
    [smoke] = [line for line in deploy("--env", "dev").asked if line.startswith("python")]

    assert " --through 127.0.0.1:41234 " in smoke


def chart_versions(*scripts: str) -> set[str]:
    """Of the HTTP add-on, as the scripts pin it."""
    return {
        version for script in scripts for version in re.findall(r"(?:chart_version|HTTP_ADD_ON)=(\S+)", script)
    }


def test_azure_and_kind_install_the_same_http_add_on() -> None:
    azure = (ROOT / "infra_bicep" / "deploy.sh").read_text()
    kind = (ROOT / "k8s" / "kind" / "up.sh").read_text()

    assert len(chart_versions(azure)) == len(chart_versions(azure, kind)) == 1
    assert len(chart_versions(azure.replace("chart_version=0", "chart_version=1"), kind)) == 2


@pytest.mark.parametrize(
    "failing",
    ["az account show", "az deployment group what-if", "az deployment group create", "az acr build", "kubelogin",
     "helm upgrade", "apply.sh", "python"],
)  # fmt: skip
def test_it_stops_at_the_first_failure(deploy, failing: str) -> None:
    ran = deploy("--env", "dev", fails=failing)

    assert ran.code != 0
    assert ran.asked[-1].startswith(failing)


def test_a_roll_out_leaves_resources_charts_and_with_a_digest_the_registry_alone(deploy) -> None:
    ran = deploy("--env", "prod", "--rollout", "--digest", DIGEST)

    assert ran.code == 0, ran.said
    assert ran.order(*STEPS) == [
        "az deployment group show",
        "az aks get-credentials",
        "kubelogin",
        "apply.sh",
        "kubectl port-forward",
        "python",
    ]


def test_the_digest_that_runs_is_printed(deploy) -> None:
    assert DIGEST in deploy("--env", "prod", "--running").said.splitlines()


def test_nothing_changes_without_a_yes(deploy) -> None:
    ran = deploy("--env", "dev", answer="n\n")

    assert ran.code == 1
    assert ran.asked[-1].startswith("az deployment group what-if")


def test_a_dry_run_says_what_it_would_do_and_asks_nobody(deploy) -> None:
    ran = deploy("--env", "dev", "--location", "westeurope", "--dry-run")

    assert ran.code == 0, ran.said
    assert ran.asked == [line for line in ran.asked if line.startswith("git")]
    printed = [shlex.split(line) for line in ran.said.splitlines() if line.startswith(("az ", "helm "))]
    assert printed[1][:5] == ["az", "group", "create", "--name", "rg-fraudsense-dev"]
    assert any(words[:2] == ["helm", "upgrade"] for words in printed)


def test_a_dry_run_leaves_what_a_real_one_wrote(deploy, tmp_path) -> None:
    deploy("--env", "dev")
    state = tmp_path / "root" / ".local-azure-dev"
    before = {file: file.read_bytes() for file in state.rglob("*") if file.is_file()}

    ran = deploy("--env", "dev", "--location", "westeurope", "--dry-run")

    assert ran.code == 0, ran.said
    assert {file: file.read_bytes() for file in state.rglob("*") if file.is_file()} == before
    assert before[state / "outputs.json"]


def values_files(ran: Ran) -> list[str]:
    """The files of values that helm is given, in its order: later ones win."""
    [helm] = [shlex.split(line) for line in ran.asked if line.startswith("helm")]
    return [Path(after).name for word, after in pairwise(helm) if word == "--values"]


def replicas(*files: str) -> tuple[int, int]:
    """Interceptors and scalers of the HTTP add-on that those files keep."""
    values = [yaml.safe_load((ROOT / "infra_bicep" / file).read_text()) for file in files]
    return values[-1]["interceptor"]["replicas"]["min"], values[-1]["scaler"]["replicas"]


def test_in_production_the_way_in_outlives_a_pod_and_a_zone(deploy) -> None:
    small, large = values_files(deploy("--env", "dev")), values_files(deploy("--env", "prod"))

    assert (small, large) == (["http-add-on.yaml"], ["http-add-on.yaml", "http-add-on-prod.yaml"])
    assert (replicas(*small), replicas(*large)) == ((1, 1), (3, 2))


def test_tearing_down_deletes_the_group_and_frees_the_vaults_name(deploy) -> None:
    ran = deploy("--env", "dev", "--destroy")

    assert ran.asked[-2:] == ["az group delete --name rg-fraudsense-dev --yes", "az keyvault purge --name kv-own"]


def test_tearing_down_asks_first(deploy) -> None:
    assert not [line for line in deploy("--env", "dev", "--destroy", answer="\n").asked if "delete" in line]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "--env must be dev or prod"),
        (["--env", "nowhere"], "--env must be dev or prod"),
        (["--env"], "--env needs a value"),
        (["--env", "dev", "--digest", "latest"], "--digest must be sha256:"),
        (["--env", "dev", "--fast"], "What is --fast?"),
    ],
)
def test_arguments_without_sense_are_refused_before_anything_is_asked(deploy, arguments, sentence) -> None:
    ran = deploy(*arguments)

    assert (ran.code, ran.asked) == (2, [])
    assert sentence in ran.said


def test_a_new_group_needs_a_place(deploy) -> None:
    ran = deploy("--env", "dev", exists="false")

    assert ran.code == 2
    assert "say where with --location" in ran.said


def test_an_output_that_is_missing_is_named(outputs) -> None:
    kept = {name: value for name, value in outputs.items() if name.upper() not in {"REDIS_HOST", "TENANT_ID"}}

    with pytest.raises(KeyError, match="REDIS_HOST, TENANT_ID"):
        filled(EXAMPLE.read_text(), kept)
