"""The Dockerfile, as far as it can be read without building it; `make image-test` builds and runs the image."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.tools import ROOT, Tool

DOCKERFILE = ROOT / "Dockerfile"
HOST = "/azure-functions-host/Microsoft.Azure.WebJobs.Script.WebHost"
HELD = {"functions", "shared", "ml", "function_app.py", "host.json", "requirements-image.txt"}


@pytest.fixture
def final_stage() -> str:
    """The instructions after the last FROM, without comments."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#")]
    return re.split(r"^FROM ", "\n".join(lines), flags=re.MULTILINE)[-1]


def test_the_linter_finds_nothing(hadolint: Tool) -> None:
    result = hadolint("--failure-threshold", "style", DOCKERFILE)

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("right", "wrong", "rule"),
    [
        ("USER 10001:10001", "USER root", "DL3002"),
        ("python -m pip install", "cd / && sudo pip install", "DL3004"),
        ("WORKDIR /home", "WORKDIR home", "DL3000"),
    ],
)
def test_the_linter_refuses_a_broken_one(
    hadolint: Tool, tmp_path: Path, right: str, wrong: str, rule: str
) -> None:
    broken = tmp_path / "Dockerfile"
    broken.write_text(DOCKERFILE.read_text().replace(right, wrong))

    result = hadolint("--failure-threshold", "style", broken)

    assert result.returncode != 0
    assert rule in result.stdout


def test_it_is_built_on_microsofts_base_unless_another_is_named(final_stage: str) -> None:
    named = re.search(r"^ARG BASE_IMAGE=(\S+)", DOCKERFILE.read_text(), re.MULTILINE)

    assert named
    assert named[1] == "mcr.microsoft.com/azure-functions/python:4-python3.13"
    assert final_stage.startswith("${BASE_IMAGE}\n")


def test_it_runs_as_a_numbered_user_on_a_high_port(final_stage: str) -> None:
    assert re.findall(r"^USER (\S+)", final_stage, re.MULTILINE) == ["10001:10001"]
    assert "ASPNETCORE_URLS=http://+:8080" in final_stage
    assert re.findall(r"^EXPOSE (.+)", final_stage, re.MULTILINE) == ["8080 7072"]


def unstoppable(final_stage: str) -> Iterator[str]:
    """Why SIGTERM would not let the batch in hand end."""
    if re.findall(r"^(?:CMD|ENTRYPOINT) .+", final_stage, re.MULTILINE) != [f'CMD ["{HOST}"]']:
        yield "a script around the host gets the signal"
    if not re.search(r"\bFUNCTIONS_ENABLE_DRAIN_ON_APP_STOPPING=true\b", final_stage):
        yield "the host does not drain"


def test_it_starts_the_host_itself_which_drains_on_sigterm(final_stage: str) -> None:
    assert list(unstoppable(final_stage)) == []


def test_an_image_that_does_not_stop_cleanly_is_seen(final_stage: str) -> None:
    broken = re.sub(r"^CMD .*|.*DRAIN_ON_APP_STOPPING.*", "", final_stage, flags=re.MULTILINE)

    assert list(unstoppable(broken)) == ["a script around the host gets the signal", "the host does not drain"]


def test_packages_come_by_hash_and_only_built() -> None:
    (installing,) = re.findall(r"pip install(?:[^\n]*\\\n)*[^\n]*", DOCKERFILE.read_text())

    assert {"--require-hashes", "--no-deps"} < set(installing.split())
    assert "--only-binary :all:" in installing


def test_only_the_product_reaches_the_builder() -> None:
    rules = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")
    ]

    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == HELD


def test_what_is_held_exists_and_is_kept_in_the_repository() -> None:
    listed = subprocess.run(
        ["git", "ls-files", *HELD], check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout

    assert {Path(line).parts[0] for line in listed.splitlines()} == HELD
