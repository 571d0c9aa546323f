"""Renders the Kubernetes overlays and checks each object against the schemas of Kubernetes, KEDA and others."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

from tests.deploy.tools import ROOT, Tool

KUBERNETES = ("1.30", "1.37")  # the oldest that docs/deploy.md promises, and the newest there is
SCHEMAS = Path(__file__).parent / "schemas"
CUSTOM = sorted(file for folder in ("keda", "others") for file in (SCHEMAS / folder).rglob("*.yaml"))
OVERLAYS = sorted(path.parent for path in (ROOT / "k8s" / "overlays").glob("*/kustomization.yaml"))

Manifest = dict[str, Any]


def render(kubectl: Tool, folder: Path) -> list[Manifest]:
    """The objects of a Kustomize folder. Raises AssertionError with kubectl's own words."""
    result = kubectl("kustomize", folder)
    assert result.returncode == 0, result.stdout
    return [document for document in yaml.safe_load_all(result.stdout) if document]


def problems(manifest: Manifest) -> list[str]:
    """What the API server, or KEDA's or the add-on's definitions, would refuse of one object."""
    name = f"{manifest.get('kind')}/{manifest.get('metadata', {}).get('name')}"
    return [f"{name}: {problem}" for problem in _problems(manifest)]


def _problems(manifest: Manifest) -> Iterator[str]:
    schemas = _custom().get((manifest.get("apiVersion"), manifest.get("kind")))
    if schemas is None:
        for version in KUBERNETES:
            yield from _kubernetes_problems(json.dumps(manifest), version)
    for origin, schema in schemas or ():
        for error in jsonschema.Draft202012Validator(schema).iter_errors(manifest):
            yield f"{'.'.join(map(str, error.path))}: {error.message} ({origin})"


@cache  # the overlays have most objects in common
def _kubernetes_problems(manifest: str, version: str) -> list[str]:
    try:
        kubernetes_validate.validate(json.loads(manifest), version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{'.'.join(map(str, error.path))}: {error.message} (Kubernetes {version})"]
    except kubernetes_validate.SchemaNotFoundError as error:
        return [error.message]
    return []


@cache
def _custom() -> dict[tuple[str, str], list[tuple[str, Manifest]]]:
    """(apiVersion, kind) → the file of each kept version of a custom resource, and its schema made strict."""
    found: dict[tuple[str, str], list[tuple[str, Manifest]]] = {}
    for file in CUSTOM:
        spec = yaml.safe_load(file.read_text())["spec"]
        for version in spec["versions"]:
            key = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
            schema = _strict(version["schema"]["openAPIV3Schema"])
            found.setdefault(key, []).append((str(file.relative_to(SCHEMAS)), schema))
    return found


def _strict(schema: Any) -> Any:
    """The schema, refusing fields that the API server would silently drop."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {name: _strict(content) for name, content in schema.items()}
    kept = schema.get("x-kubernetes-preserve-unknown-fields")
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema and not kept:
        strict["additionalProperties"] = False
    return strict
