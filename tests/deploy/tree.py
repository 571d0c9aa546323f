"""The repository as checks across its parts read it: Bicep, rendered overlays, settings, compose."""

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.deploy.bicep_types import inside, parse
from tests.deploy.cluster import of_kind
from tests.deploy.manifests import Manifest, render
from tests.deploy.tools import Tool


@cache
def _rendered(kubectl: Tool, overlay: Path) -> list[Manifest]:
    return render(kubectl, overlay)


@dataclass(frozen=True)
class Tree:
    """The repository, or a copy that a test has changed."""

    root: Path
    kubectl: Tool

    def text(self, path: str) -> str:
        """A file."""
        return (self.root / path).read_text()

    def bicep(self, name: str) -> Mapping[str, Any]:
        """A file of infra_bicep, parsed."""
        return parse(self.text(f"infra_bicep/{name}"))

    def resource(self, name: str, symbol: str) -> Mapping[str, Any]:
        """A resource's body, without its loop or condition."""
        return inside(self.bicep(name)["resources"][symbol]["config"])

    def overlay(self, name: str) -> list[Manifest]:
        """Rendered."""
        return _rendered(self.kubectl, self.root / "k8s" / "overlays" / name)

    def setting(self, field: str) -> Any:
        """A setting's default."""
        for node in ast.walk(ast.parse(self.text("shared/settings.py"))):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == field:
                return ast.literal_eval(node.value.args[0])  # type: ignore[union-attr]
        raise LookupError(f"There is no setting {field}.")

    def trigger(self, overlay: str) -> Mapping[str, str]:
        """What KEDA watches for score."""
        [trigger] = of_kind(self.overlay(overlay), "ScaledObject")["score"]["spec"]["triggers"]
        return trigger["metadata"]

    def emulated_queue(self) -> Mapping[str, Any]:
        """The queue of compose's Service Bus emulator."""
        [namespace] = json.loads(self.text("deploy/compose/servicebus.json"))["UserConfig"]["Namespaces"]
        [queue] = namespace["Queues"]
        return queue
