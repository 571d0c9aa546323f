"""The jobs: each runs a command that exists; on Azure the migration gives every door its rights."""

import pytest

from ml.__main__ import COMMANDS as MODELS
from shared.database.__main__ import COMMANDS as DATABASE
from tests.deploy.cluster import DOORS, of_kind, pods
from tests.deploy.manifests import OVERLAYS, Manifest, render
from tests.deploy.tools import ROOT, Tool

PACKAGES = {"shared.database": DATABASE, "ml": MODELS}


@pytest.fixture(scope="session", params=OVERLAYS, ids=lambda path: path.name)
def overlay(kubectl: Tool, request: pytest.FixtureRequest) -> list[Manifest]:
    return render(kubectl, request.param)


def is_there(command: list[str]) -> bool:
    """Whether `python -m PACKAGE COMMAND` has that command, or `python -m MODULE` is a module that can be run."""
    python, option, name, *arguments = command
    if (python, option) != ("python", "-m"):
        return False
    if name in PACKAGES:
        return arguments[0] in PACKAGES[name]
    module = ROOT / f"{name.replace('.', '/')}.py"
    return module.is_file() and '__name__ == "__main__"' in module.read_text()


def test_every_job_runs_a_command_that_the_image_has(overlay: list[Manifest]) -> None:
    commands = [pod.container["command"] for pod in pods(overlay) if pod.kind.endswith("Job")]

    assert len(commands) >= 4
    assert [command for command in commands if not is_there(command)] == []


@pytest.mark.parametrize("words", ["shared.database migrat", "ml snapshots", "shared.broker.topologies"])
def test_a_command_that_nobody_has_is_seen(words: str) -> None:
    assert not is_there(["python", "-m", *words.split()])


def test_the_daily_jobs_start_at_different_times_in_utc(overlay: list[Manifest]) -> None:
    jobs = of_kind(overlay, "CronJob")

    assert set(jobs) == {"partitions", "retention", "signals"}
    assert len({each["spec"]["schedule"] for each in jobs.values()}) == len(jobs)
    assert {each["spec"]["timeZone"] for each in jobs.values()} == {"Etc/UTC"}


def test_on_azure_the_migration_gives_each_door_its_rights(kubectl: Tool) -> None:
    overlay = render(kubectl, ROOT / "k8s" / "overlays" / "azure")
    [job] = [pod for pod in pods(overlay) if pod.kind == "Job"]
    grants = [f"--grant={door}=$({door.upper()}_NAME)/$({door.upper()}_OBJECT_ID)" for door in DOORS]

    assert job.container["command"] == ["python", "-m", "shared.database", "migrate", *grants]
