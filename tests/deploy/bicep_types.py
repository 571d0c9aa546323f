"""Checks Bicep's resources against Azure's published resource types: API versions, properties, values."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pycep import BicepParser
from pycep.models import BicepElement

SCHEMAS = Path(__file__).parent / "schemas" / "bicep-types"
OF_THE_LANGUAGE = {"parent", "scope", "dependsOn"}  # of a resource, but of no resource type
EXPRESSIONS = ({"function"}, {"operator"}, {"lambda_expression"}, {"type", "detail"})
REQUIRED, READ_ONLY = 1, 2


@dataclass(frozen=True, slots=True)
class Types:
    """One file of types, which name each other by their place in it."""

    entries: tuple[Mapping[str, Any] | None, ...]

    def __getitem__(self, reference: Mapping[str, str]) -> Mapping[str, Any]:
        entry = self.entries[int(reference["$ref"].removeprefix("#/"))]
        if entry is None:
            raise LookupError(f"{reference} was left out of the kept types: add it to tests/deploy/schemas.")
        return entry


@cache
def published() -> Mapping[str, Mapping[str, tuple[Types, Mapping[str, Any]]]]:
    """Type in lower case → API version → the file and the body of the resource."""
    found: dict[str, dict[str, tuple[Types, Mapping[str, Any]]]] = {}
    for file in sorted(SCHEMAS.rglob("*.types.json")):
        types = Types(tuple(json.loads(file.read_text())))
        for entry in types.entries:
            if entry and entry["$type"] == "ResourceType":
                name, version = entry["name"].split("@")
                found.setdefault(name.lower(), {})[version] = (types, types[entry["body"]])
    return found


@cache
def parse(source: str) -> Mapping[str, Any]:
    """A file of Bicep as pycep reads it. Raises what its parser raises where it cannot."""
    return BicepParser().parse(text=source)


def problems(source: str, without_types: frozenset[str] = frozenset()) -> list[str]:
    """What Azure would refuse of these resources, one sentence each.

    `without_types` names the resource types of which no schema is kept: these are not looked into.
    """
    parsed = parse(source)
    values = {name: variable["value"] for name, variable in parsed.get("variables", {}).items()}
    resources = {n: r for n, r in parsed.get("resources", {}).items() if r["type"] not in without_types}
    return [
        f"{name}: {problem}" for name, resource in resources.items() for problem in _of_resource(resource, values)
    ]


def _of_resource(resource: Mapping[str, Any], variables: Mapping[str, Any]) -> Iterator[str]:
    versions = published().get(resource["type"].lower())
    if versions is None:
        yield f"no types are kept for {resource['type']}"
    elif resource["api_version"] not in versions:
        yield f"{resource['type']} has no API version {resource['api_version']}, only {', '.join(versions)}"
    else:
        types, body = versions[resource["api_version"]]
        config = {name: value for name, value in inside(resource["config"]).items() if name not in OF_THE_LANGUAGE}
        if "__child_resource__" in config:
            yield "a resource inside a resource is not checked: declare it apart, with `parent`"
        elif resource["existing"]:
            yield from _Checker(types, variables).of({"name": config.get("name")}, {**body, "partial": True}, "")
        else:
            yield from _Checker(types, variables).of(config, body, "")


def inside(config: Any) -> Any:
    """The resource or module that a loop or a condition wraps."""
    while isinstance(config, dict) and "config" in config and ("loop_type" in config or "condition" in config):
        config = config["config"]
    return config


@dataclass(frozen=True, slots=True)
class _Checker:
    types: Types
    variables: Mapping[str, Any]

    def of(self, value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:
        """The problems of one value; none for what is only known when it is deployed."""
        for known in self._known(value):
            yield from getattr(self, f"_{schema['$type']}", self._anything)(known, schema, path)

    def _known(self, value: Any) -> Iterator[Any]:
        """The values that an expression may have, as far as they stand in the file."""
        if isinstance(value, BicepElement):
            if value in self.variables:
                yield from self._known(self.variables[value])
        elif isinstance(value, dict) and any(set(value) == keys for keys in EXPRESSIONS):
            operator = value.get("operator", {})
            if operator.get("type") == "conditional":
                yield from self._known(operator["operands"]["true_value"])
                yield from self._known(operator["operands"]["false_value"])
        elif value is not None and not (isinstance(value, str) and "${" in value):
            yield value

    def _anything(self, _value: Any, _schema: Mapping[str, Any], _path: str) -> Iterator[str]:
        return iter(())

    def _ObjectType(self, value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:  # noqa: N802 - the schema's name
        if not isinstance(value, dict):
            yield f"{path or 'the resource'} is not an object"
            return
        declared, more = schema["properties"], schema.get("additionalProperties")
        for name, content in value.items():
            inner = f"{path}.{name}".lstrip(".")
            if name in declared:
                yield from self._property(content, declared[name], inner)
            elif more:
                yield from self.of(content, self.types[more], inner)
            else:
                yield f"{inner} does not exist"
        required = {name for name, about in declared.items() if about["flags"] & REQUIRED}
        for name in sorted(required - set(value)) if not schema.get("partial") else ():
            yield f"{path}.{name}".lstrip(".") + " is missing"

    def _property(self, content: Any, about: Mapping[str, Any], path: str) -> Iterator[str]:
        if about["flags"] & READ_ONLY:
            yield f"{path} is read-only"
        else:
            yield from self.of(content, self.types[about["type"]], path)

    def _DiscriminatedObjectType(self, value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:  # noqa: N802
        chosen = value.get(schema["discriminator"]) if isinstance(value, dict) else None
        if chosen not in schema["elements"]:
            yield f"{path}.{schema['discriminator']} is none of {', '.join(schema['elements'])}".lstrip(".")
            return
        element = self.types[schema["elements"][chosen]]
        merged = {**element, "properties": {**schema["baseProperties"], **element["properties"]}}
        yield from self._ObjectType(value, merged, path)

    def _ArrayType(self, value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:  # noqa: N802
        items = [inside(value)] if isinstance(value, dict) and "loop_type" in value else value
        if not isinstance(items, list):
            yield f"{path} is not an array"
            return
        for item in items:
            yield from self.of(item, self.types[schema["itemType"]], f"{path}[]")

    def _UnionType(self, value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:  # noqa: N802
        elements = [self.types[reference] for reference in schema["elements"]]
        if all(list(self.of(value, element, path)) for element in elements):
            allowed = ", ".join(sorted(repr(element.get("value", element["$type"])) for element in elements))
            yield f"{path} is {value!r}, not one of {allowed}"

    def _StringLiteralType(self, value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:  # noqa: N802
        if value != schema["value"]:
            yield f"{path} is {value!r}, not {schema['value']!r}"

    def _StringType(self, value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:  # noqa: N802
        if not isinstance(value, str):
            yield f"{path} is {value!r}, not a string"
        elif not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            yield f"{path} is {value!r}, whose length is not allowed"
        elif "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{path} is {value!r}, which does not match {schema['pattern']}"

    def _IntegerType(self, value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:  # noqa: N802
        if not isinstance(value, int) or isinstance(value, bool):
            yield f"{path} is {value!r}, not a whole number"
        elif not schema.get("minValue", value) <= value <= schema.get("maxValue", value):
            yield f"{path} is {value}, beyond {schema.get('minValue')} to {schema.get('maxValue')}"

    def _BooleanType(self, value: Any, _schema: Mapping[str, Any], path: str) -> Iterator[str]:  # noqa: N802
        if not isinstance(value, bool):
            yield f"{path} is {value!r}, not true or false"
