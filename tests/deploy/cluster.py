"""Rendered overlays as values that checks of manifests ask: pods and their owners, objects by kind, settings."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.deploy.manifests import Manifest
from tests.deploy.tools import ROOT

DOORS = ("ingest", "score", "alerts")
JOBS = ("migrate", "partitions", "retention", "signals")
NAME = "app.kubernetes.io/name"


@dataclass(frozen=True)
class Pod:
    """A pod as its owner will make it."""

    owner: str
    kind: str
    labels: Mapping[str, str]
    spec: Mapping[str, Any]

    @property
    def container(self) -> Mapping[str, Any]:
        """Its only container. Raises ValueError where it has another number."""
        [container] = [*self.spec["containers"], *self.spec.get("initContainers", [])]
        return container

    def ports(self) -> dict[str, int]:
        """Name → number of the ports that it declares."""
        return {port["name"]: port["containerPort"] for port in self.container.get("ports", [])}


def pods(manifests: list[Manifest]) -> Iterator[Pod]:
    """The pods of all workloads."""
    for manifest in manifests:
        spec = manifest.get("spec", {})
        if manifest["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if manifest["kind"] in {"Deployment", "StatefulSet", "Job", "CronJob"}:
            template = spec["template"]
            yield Pod(
                manifest["metadata"]["name"], manifest["kind"], template["metadata"]["labels"], template["spec"]
            )


def ours(manifests: list[Manifest]) -> list[Pod]:
    """The pods that run FraudSense's own image."""
    return [pod for pod in pods(manifests) if "fraudsense" in pod.container["image"]]


def of_kind(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    """Name → object."""
    return {each["metadata"]["name"]: each for each in manifests if each["kind"] == kind}


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector, of matchLabels and `In` expressions, matches."""
    expressions = selector.get("matchExpressions", [])
    assert all(each["operator"] == "In" for each in expressions), expressions
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(each["key"]) in each["values"] for each in expressions
    )


def declared_settings() -> set[str]:
    """Every FRAUDSENSE_ variable that docs/reference.md declares; another test compares it with the code."""
    return set(re.findall(r"^\| `(FRAUDSENSE_\w+)` \|", (ROOT / "docs" / "reference.md").read_text(), re.M))


def seconds_to_stop() -> dict[str, int]:
    """How long each door may take after SIGTERM, as docs/delivery.md says."""
    delivery = (ROOT / "docs" / "delivery.md").read_text()
    [(functions, alerts)] = re.findall(r"\(score and ingest (\d+) s, alerts (\d+) s\)", delivery)
    return {"ingest": int(functions), "score": int(functions), "alerts": int(alerts)}
