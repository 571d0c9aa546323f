"""Checks what Bicep's names stand for: values of parameter files, names of resources, declarations without use."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pycep.models import BicepElement

from tests.deploy.bicep_types import inside, parse

PYTHON_TYPES = {"string": str, "int": int, "bool": bool, "array": list, "object": dict}

LIMITS: Mapping[str, Callable[[Any, Any], bool]] = {
    "allowed": lambda value, allowed: value in allowed,
    "min_value": lambda value, least: value >= least,
    "max_value": lambda value, most: value <= most,
    "min_length": lambda value, least: len(value) >= least,
    "max_length": lambda value, most: len(value) <= most,
}

# Azure's rules for names that must be unique or short; where capitals and hyphens are refused the pattern says so.
NAMES = {
    "Microsoft.ContainerRegistry/registries": r"[a-zA-Z0-9]{5,50}",
    "Microsoft.ContainerService/managedClusters": r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,61}[a-zA-Z0-9]",
    "Microsoft.DBforPostgreSQL/flexibleServers": r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
    "Microsoft.Cache/redisEnterprise": r"(?!.*--)[a-zA-Z0-9][a-zA-Z0-9-]{0,58}[a-zA-Z0-9]",
    "Microsoft.KeyVault/vaults": r"(?!.*--)[a-zA-Z][a-zA-Z0-9-]{1,22}[a-zA-Z0-9]",
    "Microsoft.ServiceBus/namespaces": r"[a-zA-Z][a-zA-Z0-9-]{4,48}[a-zA-Z0-9](?<!-sb)(?<!-mgmt)",
    "Microsoft.Storage/storageAccounts": r"[a-z0-9]{3,24}",
    "Microsoft.ManagedIdentity/userAssignedIdentities": r"[a-zA-Z0-9][a-zA-Z0-9_-]{2,127}",
    "Microsoft.Insights/dataCollectionEndpoints": r"[a-zA-Z0-9][a-zA-Z0-9-]{1,42}[a-zA-Z0-9]",
    "Microsoft.Monitor/accounts": r"[a-zA-Z0-9][a-zA-Z0-9-]{2,42}[a-zA-Z0-9]",
}
GLOBAL = {"registries", "flexibleServers", "redisEnterprise", "vaults", "namespaces", "storageAccounts"}
HASH = "abcdefghijklm"  # uniqueString gives thirteen letters and digits


def value_problems(file: Path, template: Mapping[str, Any]) -> Iterator[str]:
    """Values of a .bicepparam file that its template refuses; what is only known when it is deployed passes."""
    body = re.sub(r"^using .*$", "", file.read_text(), flags=re.MULTILINE)
    given = parse(re.sub(r"^param ", "var ", body, flags=re.MULTILINE))["variables"]
    for name, variable in given.items():
        value, declared = variable["value"], template["parameters"][name]
        if isinstance(value, dict) and value.keys() & {"function", "operator"}:
            continue
        if type(value) is not PYTHON_TYPES[declared["type"]]:
            yield f"{name} is {value!r}, not of type {declared['type']}"
        else:
            yield from _beyond(name, value, declared["decorators"])


def _beyond(name: str, value: Any, decorators: list[Mapping[str, Any]]) -> Iterator[str]:
    for limit in decorators:
        if limit["type"] in LIMITS and not LIMITS[limit["type"]](value, limit["argument"]):
            yield f"{name} is {value!r}, against {limit['type']} {limit['argument']}"


def name_problems(source: str, environment: str) -> Iterator[str]:
    """Resource names that Azure refuses, and names that all of Azure shares without a part of our own."""
    for resource in parse(source).get("resources", {}).values():
        name = inside(resource["config"]).get("name")
        if resource["existing"] or isinstance(name, BicepElement) or resource["type"] not in NAMES:
            continue
        unique = "uniqueString(" in name
        full = re.sub(r"\$\{uniqueString\([^}]*\}", HASH, name.replace("${environmentName}", environment))
        full = re.sub(r"\$\{\w+\}", "scored", full)  # an item of a loop
        if not re.fullmatch(NAMES[resource["type"]], full):
            yield f"{full} is no name for {resource['type']}"
        if resource["type"].rpartition("/")[2] in GLOBAL and not unique:
            yield f"{full} may be taken by somebody else: add uniqueString"


def unused(file: Path) -> list[str]:
    """Parameters, variables and modules' outputs that nothing reads."""
    source = file.read_text()
    parsed = parse(source)
    names = [*parsed.get("parameters", {}), *parsed.get("variables", {})]
    lonely = [name for name in names if len(re.findall(rf"\b{name}\b", _code(source))) == 1]
    exported = set(re.findall(r"@export\(\)\nvar (\w+)", source))
    return [*sorted(set(lonely) - exported), *_unread_outputs(file, source, parsed)]


def _unread_outputs(file: Path, source: str, parsed: Mapping[str, Any]) -> Iterator[str]:
    for name, module in parsed.get("modules", {}).items():
        for output in parse((file.parent / module["detail"]["path"]).read_text()).get("outputs", {}):
            if f"{name}.outputs.{output}" not in source:
                yield f"{name}.outputs.{output}"


def _code(source: str) -> str:
    """Without comments, descriptions, and the words before a colon, which are properties."""
    without = re.sub(r"//.*|@description\(.*\)", "", source)
    return re.sub(r"^\s*\w+:(?=\s)", "", without, flags=re.MULTILINE)
