"""What the checks of image, compose, manifests, Bicep and workflows share; run by `make check-deploy`."""

from pathlib import Path

import pytest

from tests.deploy.tools import Tool, find

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


def _fixture(name: str) -> object:
    @pytest.fixture(scope="session", name=name.replace("-", "_"))
    def tool() -> Tool:
        return find(name)

    return tool


actionlint = _fixture("actionlint")
check_jsonschema = _fixture("check-jsonschema")
checkov = _fixture("checkov")
hadolint = _fixture("hadolint")
kubectl = _fixture("kubectl")
promtool = _fixture("promtool")
shellcheck = _fixture("shellcheck")
