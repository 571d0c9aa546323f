"""Bicep, without Azure and its compiler: syntax, names, resource types, checkov; and each refuses what it must."""

import json
from pathlib import Path

import pytest
from lark.exceptions import LarkError

from tests.deploy.bicep_names import module_problems, parameter_file_problems, undeclared
from tests.deploy.bicep_types import parse, problems
from tests.deploy.tools import ROOT, Tool

FOLDER = ROOT / "infra_bicep"
FILES = sorted(FOLDER.rglob("*.bicep"))
WITHOUT_TYPES = frozenset({"Microsoft.Consumption/budgets"})  # its types are not among those kept

QUEUE = """
param premium bool
resource bus 'Microsoft.ServiceBus/namespaces@2026-01-01' = {
  name: 'sb-fraudsense-test'
  location: resourceGroup().location
  sku: { name: premium ? 'Premium' : 'Standard' }
  properties: { minimumTlsVersion: '1.2' }
}
resource queue 'Microsoft.ServiceBus/namespaces/queues@2026-01-01' = {
  parent: bus
  name: 'transactions'
  properties: {
    lockDuration: 'PT5M'
    maxDeliveryCount: 10
  }
}
"""


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(FOLDER)))
def test_a_file_is_sound(file: Path) -> None:
    source = file.read_text()

    assert problems(source, WITHOUT_TYPES) == []
    assert undeclared(source) == []
    assert module_problems(file) == []


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.bicepparam")), ids=lambda file: file.name)
def test_a_parameter_file_gives_its_template_what_it_asks_for(file: Path) -> None:
    assert parameter_file_problems(file) == []


def test_checkov_finds_nothing_and_read_everything(checkov: Tool) -> None:
    assert complaints(checkov, FOLDER) == []


def test_resources_as_azure_publishes_them_pass() -> None:
    assert problems(QUEUE) == []


@pytest.mark.parametrize(
    ("good", "bad", "problem"),
    [
        ("maxDeliveryCount: 10", "maxDeliveries: 10", "queue: properties.maxDeliveries does not exist"),
        (
            "maxDeliveryCount: 10",
            "maxDeliveryCount: '10'",
            "queue: properties.maxDeliveryCount is '10', not a whole",
        ),
        ("  location: resourceGroup().location\n", "", "bus: location is missing"),
        (
            "queues@2026-01-01",
            "queues@2031-01-01",
            "queue: Microsoft.ServiceBus/namespaces/queues has no API version",
        ),
        ("'Standard'", "'Standart'", "bus: sku.name is 'Standart', not one of"),
        ("'1.2' }", "'1.2', status: 'Active' }", "bus: properties.status is read-only"),
        (
            "namespaces/queues@",
            "namespaces/heaps@",
            "queue: no types are kept for Microsoft.ServiceBus/namespaces/heaps",
        ),
    ],
)
def test_what_azure_would_refuse_is_said(good: str, bad: str, problem: str) -> None:
    assert good in QUEUE

    assert [said for said in problems(QUEUE.replace(good, bad)) if said.startswith(problem)]


def test_what_is_no_bicep_is_refused() -> None:
    with pytest.raises(LarkError):
        parse("param location string =\n")


@pytest.mark.parametrize(
    "source",
    [
        "output a string = nowhere\n",
        "output a string = '${nowhere}-x'\n",
        "output a array = [for x in nowhere: x]\n",
    ],
)
def test_a_name_that_is_declared_nowhere_is_said(source: str) -> None:
    assert undeclared(source) == ["nowhere"]


def test_declared_names_and_names_behind_dots_are_fine() -> None:
    source = "param people array\nvar names = [for person in people: person.name]\noutput n array = names\n"

    assert undeclared(source) == []


def test_what_a_module_does_not_have_is_said(tmp_path: Path) -> None:
    (tmp_path / "part.bicep").write_text(
        "param location string\nparam size int = 1\noutput id string = location\n"
    )
    main = tmp_path / "main.bicep"
    module = "module part 'part.bicep' = {\n  name: 'part'\n  params: { place: 'x' }\n}\n"
    main.write_text(f"{module}output a string = part.outputs.ip\n")

    assert module_problems(main) == [
        "part: there is no parameter place",
        "part: the parameter location is missing",
        "part: there is no output ip",
    ]


def test_what_a_parameter_file_lacks_is_said(tmp_path: Path) -> None:
    (tmp_path / "main.bicep").write_text("param location string\n")
    parameters = tmp_path / "test.bicepparam"
    parameters.write_text("using 'main.bicep'\n\nparam size = 3\n")

    assert parameter_file_problems(parameters) == [
        "there is no parameter size",
        "the parameter location is missing",
    ]


def complaints(checkov: Tool, folder: Path) -> list[str]:
    """Failed checks and unreadable files; checkov itself ends well on files that it cannot read."""
    output = checkov("--skip-download", "--framework", "bicep", "--compact", "-o", "json", "-d", folder).stdout
    report = json.loads(output[output.index("{\n") :])
    failed = [f"{check['check_id']} {check['resource']}" for check in report["results"]["failed_checks"]]
    return failed + [f"cannot be parsed: {file}" for file in report["results"]["parsing_errors"]]


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("param location string =\n", "cannot be parsed"),
        (
            "resource s 'Microsoft.Storage/storageAccounts@2026-04-01' = {\n  name: 'open'\n  location: 'x'\n"
            "  properties: { supportsHttpsTrafficOnly: false }\n}\n",
            "CKV_AZURE_3 ",
        ),
    ],
    ids=["syntax", "insecure"],
)
def test_checkov_complains(checkov: Tool, tmp_path: Path, source: str, complaint: str) -> None:
    (tmp_path / "bad.bicep").write_text(source)

    assert [said for said in complaints(checkov, tmp_path) if said.startswith(complaint)]
