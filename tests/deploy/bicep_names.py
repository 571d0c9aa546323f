"""Checks that names in Bicep lead somewhere: variables, parameters and outputs of modules, parameter files."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pycep.models import BicepElement

from tests.deploy.bicep_types import inside, parse

DECLARING = ("parameters", "variables", "resources", "modules", "functions")
OUTPUT = re.compile(r"\b(\w+)!?\.outputs\.(\w+)")
INTERPOLATION = re.compile(r"\$\{([^{}]+)\}")
PARAMETER_FILE = re.compile(r"^using '(?P<template>[^']+)'$", re.MULTILINE)


def undeclared(source: str) -> list[str]:
    """Names that are used and nowhere declared in this file."""
    parsed = parse(source)
    declared = {name for kind in DECLARING for name in parsed.get(kind, {})} | set(_imported(source))
    return sorted({str(name) for name in _used(parsed, declared)} - declared)


def module_problems(file: Path) -> list[str]:
    """What this file gives to its modules, or wants of them, that they do not have."""
    source = file.read_text()
    modules = parse(source).get("modules", {})
    templates = {name: parse((file.parent / m["detail"]["path"]).read_text()) for name, m in modules.items()}
    found = [
        f"{name}: {problem}"
        for name, module in modules.items()
        for problem in _of_parameters(inside(module["config"]).get("params", {}), templates[name])
    ]
    wanted = {(name, output) for name, output in OUTPUT.findall(source) if name in templates}
    missing = [pair for pair in sorted(wanted) if pair[1] not in templates[pair[0]].get("outputs", {})]
    return found + [f"{name}: there is no output {output}" for name, output in missing]


def parameter_file_problems(file: Path) -> list[str]:
    """What a .bicepparam file gives, or fails to give, to its template."""
    source = file.read_text()
    using = PARAMETER_FILE.search(source)
    if using is None:
        return ["it does not say which template it is for: using 'main.bicep'"]
    body = re.sub(r"^param (\w+) =", r"var \1 =", source.replace(using[0], ""), flags=re.MULTILINE)
    template = parse((file.parent / using["template"]).read_text())
    return list(_of_parameters(parse(body).get("variables", {}), template))


def _of_parameters(given: Mapping[str, Any], template: Mapping[str, Any]) -> Iterator[str]:
    wanted = template.get("parameters", {})
    yield from (f"there is no parameter {name}" for name in given if name not in wanted)
    needed = (name for name, parameter in wanted.items() if parameter["default"] is None)
    yield from (f"the parameter {name} is missing" for name in needed if name not in given)


def _imported(source: str) -> Iterator[str]:
    for names in re.findall(r"^import \{([^}]*)\}", source, flags=re.MULTILINE):
        yield from re.findall(r"(\w+)\s*(?:,|$)", names.strip())


def _used(value: Any, declared: set[str]) -> Iterator[str]:
    """Names that a value uses; those that its loops and lambdas declare are added to `declared`."""
    if isinstance(value, BicepElement):
        yield value
    elif isinstance(value, str):
        for expression in INTERPOLATION.findall(value):
            yield from _used(parse(f"var x = {expression}\n")["variables"]["x"]["value"], declared)
    elif isinstance(value, list):
        for item in value:
            yield from _used(item, declared)
    elif isinstance(value, dict):
        yield from _used_in(value, declared)


def _used_in(value: Mapping[str, Any], declared: set[str]) -> Iterator[str]:
    for name, content in value.items():
        if name in {"item_name", "index_name"} or re.fullmatch(r"var_\d", name):
            declared.add(str(content))
        elif value.get("type") == "property_accessor" and name == "operands":
            yield from _used(content["operand_1"], declared)  # what follows a dot is no name of this file
        elif name not in {"type", "decorators"} or not isinstance(content, str):
            yield from _used(content, declared)
