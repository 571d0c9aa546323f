"""Bicep's values, names and leftovers, with a broken file for each check."""

from pathlib import Path

import pytest

from tests.deploy.bicep_types import parse
from tests.deploy.bicep_values import name_problems, unused, value_problems
from tests.deploy.tools import ROOT

FOLDER = ROOT / "infra_bicep"
FILES = sorted(FOLDER.rglob("*.bicep"))
LONGEST = "staging"  # as long as environmentName may be


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.bicepparam")), ids=lambda file: file.name)
def test_every_value_is_one_that_its_parameter_takes(file: Path) -> None:
    assert list(value_problems(file, parse((FOLDER / "main.bicep").read_text()))) == []


@pytest.mark.parametrize("environment", [LONGEST, "dev"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_azure_takes_every_name(file: Path, environment: str) -> None:
    assert list(name_problems(file.read_text(), environment)) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_nothing_is_declared_in_vain(file: Path) -> None:
    assert unused(file) == []


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("'9'", "days is '9', not of type int"),
        ("true", "days is True, not of type int"),
        ("99", "days is 99, against max_value 35"),
        ("1", "days is 1, against min_value 7"),
    ],
)
def test_a_value_that_its_parameter_refuses_is_said(tmp_path: Path, value: str, problem: str) -> None:
    template = parse("@minValue(7)\n@maxValue(35)\nparam days int\noutput d int = days\n")
    parameters = tmp_path / "test.bicepparam"
    parameters.write_text(f"using 'main.bicep'\n\nparam days = {value}\n")

    assert list(value_problems(parameters, template)) == [problem]


VAULT = "resource vault 'Microsoft.KeyVault/vaults@2026-02-01' = {{\n  name: '{name}'\n}}\n"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (
            "kv-fraud-${environmentName}-${uniqueString(resourceGroup().id)}",
            "is no name for Microsoft.KeyVault/vaults",
        ),
        ("kv--${uniqueString(resourceGroup().id)}", "is no name for Microsoft.KeyVault/vaults"),
        ("kv-${environmentName}", "may be taken by somebody else"),
    ],
)
def test_a_name_that_azure_refuses_is_said(name: str, problem: str) -> None:
    [said] = name_problems(VAULT.format(name=name), LONGEST)

    assert problem in said


def test_what_is_declared_in_vain_is_said(tmp_path: Path) -> None:
    (tmp_path / "part.bicep").write_text("output id string = 'x'\noutput ip string = 'y'\n")
    main = tmp_path / "main.bicep"
    main.write_text(
        "// size and kind are for nothing\nparam size int\nvar kind = 1\nparam place string\n"
        "module part 'part.bicep' = {\n  name: place\n}\noutput a string = part.outputs.id\n"
    )

    assert unused(main) == ["kind", "size", "part.outputs.ip"]
