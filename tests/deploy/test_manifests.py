"""The Kubernetes overlays, without a cluster: they render, and the API server would take each object."""

from pathlib import Path

import pytest
import yaml

from tests.deploy.manifests import OVERLAYS, Manifest, problems, render
from tests.deploy.tools import Tool

SCALED = """
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: score}
spec:
  scaleTargetRef: {name: score}
  pollingInterval: 5
  triggers:
    - type: rabbitmq
      metadata: {mode: QueueLength, value: "20"}
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: ingest}
spec:
  selector: {matchLabels: {app: ingest}}
  template:
    metadata: {labels: {app: ingest}}
    spec:
      containers: [{name: ingest, image: fraudsense}]
"""
ROUTE = """
apiVersion: http.keda.sh/v1beta1
kind: InterceptorRoute
metadata: {name: ingest}
spec:
  target: {service: ingest, port: 8080}
  scalingMetric: {concurrency: {targetValue: 50}}
"""
MONITOR = """
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {name: doors}
spec:
  selector: {matchLabels: {app: ingest}}
  podMetricsEndpoints: [{port: http, path: /metrics, interval: 15s}]
"""


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_an_overlay_renders_into_objects_that_the_api_server_would_take(kubectl: Tool, overlay: Path) -> None:
    manifests = render(kubectl, overlay)

    assert manifests
    assert [problem for manifest in manifests for problem in problems(manifest)] == []


@pytest.mark.parametrize(
    "text", [SCALED, DEPLOYMENT, ROUTE], ids=["ScaledObject", "Deployment", "InterceptorRoute"]
)
def test_objects_as_they_should_be_pass(text: str) -> None:
    assert problems(yaml.safe_load(text)) == []


@pytest.mark.parametrize(
    ("text", "good", "bad", "problem"),
    [
        (SCALED, "pollingInterval", "pollInterval", "'pollInterval' was unexpected"),
        (SCALED, 'value: "20"', "value: 20", "20 is not of type 'string'"),
        (
            SCALED,
            "scaleTargetRef: {name: score}",
            "fallback: {replicas: 1}",
            "'scaleTargetRef' is a required property",
        ),
        (DEPLOYMENT, "image: fraudsense", "image: fraudsense, prots: []", "'prots' was unexpected"),
        (DEPLOYMENT, "selector: {matchLabels: {app: ingest}}", "replicas: 1", "'selector' is a required property"),
        (DEPLOYMENT, "kind: Deployment", "kind: Deploymint", "Couldn't find schema for kind Deploymint"),
        (ROUTE, "targetValue", "targetvalue", "'targetvalue' was unexpected"),
        (MONITOR, "interval: 15s", "interval: 15", "15 is not of type 'string'"),
        (MONITOR, "podMetricsEndpoints", "podMetricEndpoints", "'podMetricEndpoints' was unexpected"),
    ],
)
def test_what_the_api_server_would_refuse_or_drop_is_said(text: str, good: str, bad: str, problem: str) -> None:
    assert good in text

    assert [said for said in problems(yaml.safe_load(text.replace(good, bad))) if problem in said]


def test_an_overlay_that_names_a_missing_file_is_refused(kubectl: Tool, tmp_path: Path) -> None:
    broken: Manifest = {"kind": "Kustomization", "resources": ["missing.yaml"]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(broken))

    with pytest.raises(AssertionError, match=r"missing\.yaml"):
        render(kubectl, tmp_path)
