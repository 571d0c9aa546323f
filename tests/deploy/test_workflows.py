"""The workflows and the scripts they call, without GitHub; and each check refuses what it must."""

from pathlib import Path

import pytest
import yaml

from tests.deploy.tools import ROOT, Tool, find
from tests.deploy.workflows import problems

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SCRIPTS = [ROOT / ".ci" / "run", *(p for f in ("infra_bicep", "k8s", "deploy") for p in (ROOT / f).rglob("*.sh"))]

SOUND = """\
name: sound
on: {push: {branches: [main]}}
permissions: {contents: read}
concurrency: {group: sound}
jobs:
  build:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0
      - run: echo "$GITHUB_SHA"
"""


@pytest.fixture(scope="module")
def lint(actionlint: Tool) -> Tool:
    """actionlint with shellcheck for the commands in the workflows."""
    shellcheck = find("shellcheck").program
    return lambda *files: actionlint("-shellcheck", shellcheck, *files)


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    return tmp_path / "workflow.yml"


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_keeps_the_rules(file: Path) -> None:
    assert problems(file.read_text()) == []


def test_the_tests_in_ci_have_npm_from_which_they_take_azurite() -> None:
    steps = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["test"]["steps"]
    [node] = [at for at, step in enumerate(steps) if step.get("uses", "").startswith("actions/setup-node@")]
    [tests] = [at for at, step in enumerate(steps) if step.get("run") == ".ci/run test"]

    assert node < tests


def test_actionlint_finds_nothing(lint: Tool) -> None:
    result = lint(*WORKFLOWS)

    assert (result.returncode, result.stdout) == (0, "")


def test_the_workflows_have_the_schema_that_github_publishes(check_jsonschema: Tool) -> None:
    result = check_jsonschema("--builtin-schema", "vendor.github-workflows", *WORKFLOWS)

    assert result.returncode == 0, result.stdout


def test_what_proposes_newer_actions_has_its_schema_too(check_jsonschema: Tool) -> None:
    result = check_jsonschema("--builtin-schema", "vendor.dependabot", ROOT / ".github" / "dependabot.yml")

    assert result.returncode == 0, result.stdout


def test_scripts_pass_shellcheck(shellcheck: Tool) -> None:
    result = shellcheck(*SCRIPTS)

    assert result.returncode == 0, result.stdout


def test_a_sound_workflow_passes(lint: Tool, check_jsonschema: Tool, workflow: Path) -> None:
    workflow.write_text(SOUND)

    assert problems(SOUND) == []
    assert lint(workflow).returncode == 0
    assert check_jsonschema("--builtin-schema", "vendor.github-workflows", workflow).returncode == 0


@pytest.mark.parametrize(
    ("good", "bad", "problem"),
    [
        ("08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0", "v5", "actions/checkout@v5 is not pinned"),
        (" # v5.0.0", "", "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 is not pinned"),
        ("$GITHUB_SHA", "${{ secrets.PASSWORD }}", "it uses a stored secret"),
        ("permissions: {contents: read}\n", "", "it does not say its permissions"),
        ("{contents: read}", "write-all", "build: its permissions are write-all"),
        ("{contents: read}", "{contents: write}", "build: it may write contents"),
        ("concurrency: {group: sound}\n", "", "it does not say what may run at the same time"),
        ("    timeout-minutes: 5\n", "", "build: its time is not bounded"),
    ],
)
def test_a_workflow_against_the_rules_is_refused(good: str, bad: str, problem: str) -> None:
    assert good in SOUND

    assert [said for said in problems(SOUND.replace(good, bad)) if said.startswith(problem)]


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("runs-on: ubuntu-24.04", "runs-on: ubuntu-7.04"),
        ("$GITHUB_SHA", "${{ github.no_such }}"),
        ('echo "$GITHUB_SHA"', "rm -r $GITHUB_SHA"),
    ],
)
def test_actionlint_refuses(lint: Tool, workflow: Path, good: str, bad: str) -> None:
    assert good in SOUND
    workflow.write_text(SOUND.replace(good, bad))

    assert lint(workflow).returncode != 0


def test_the_schema_refuses_an_unknown_key(check_jsonschema: Tool, workflow: Path) -> None:
    workflow.write_text(SOUND.replace("timeout-minutes", "timeout-seconds"))

    assert check_jsonschema("--builtin-schema", "vendor.github-workflows", workflow).returncode != 0


def test_shellcheck_refuses_an_unquoted_path(shellcheck: Tool, tmp_path: Path) -> None:
    script = tmp_path / "careless.sh"
    script.write_text("#!/bin/sh\nrm -r $1/*\n")

    assert shellcheck(script).returncode != 0
