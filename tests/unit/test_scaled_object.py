"""The ScaledObject as the scaling simulation reads it."""

import argparse
import json
import re
from pathlib import Path

import pytest

from local.scale_sim.command import SHIPPED, add_arguments
from local.scale_sim.rules import DOWN, UP, Behavior, Kind, Policy, Rules, Select, desired_replicas
from local.scale_sim.scaled_object import read_rules
from local.supervisor import ROOT
from shared.command_line import UserError

HEAD = "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: score}\n"
TRIGGER = 'triggers: [{type: rabbitmq, metadata: {mode: QueueLength, value: "30", activationValue: "2"}}]'
SERVICE_BUS = 'triggers: [{type: azure-servicebus, metadata: {messageCount: "40"}}]'


def written(folder: Path, spec: str, name: str = "score.yaml") -> Path:
    """A ScaledObject with this spec, in flow style."""
    file = folder / name
    file.write_text(f"{HEAD}spec: {{{spec}}}\n")
    return file


def flow(trigger: str, *more: str) -> str:
    """Parts of a spec together."""
    return ", ".join([trigger, *more])


def test_the_shipped_one_is_read_the_same_for_both_brokers() -> None:
    service_bus, rabbitmq = read_rules(SHIPPED[:1]), read_rules(SHIPPED)

    assert service_bus == rabbitmq
    assert (rabbitmq.minimum, rabbitmq.maximum, rabbitmq.polling) == (0, 20, 5)


def test_the_measured_speed_is_one_number_in_the_manifest_the_document_and_the_simulated_day() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    day = parser.parse_args([])
    said = f"{day.full:,.0f} transactions a second from full envelopes", f"{day.single:.0f} from envelopes of one"

    for path in ("k8s/base/score/scaledobject.yaml", "docs/deploy.md"):
        words = re.sub(r"[\s#]+", " ", (ROOT / path).read_text())
        assert [number for number in said if number not in words] == [], path


def test_what_one_scorer_holds_in_hand_is_no_reason_for_another() -> None:
    extensions = json.loads((ROOT / "host.json").read_text())["extensions"]
    in_hand = {extensions["rabbitMQ"]["prefetchCount"], extensions["serviceBus"]["maxMessageBatchSize"]}

    assert desired_replicas(1, read_rules(SHIPPED), max(in_hand)) == 1


def test_what_is_left_out_is_kedas_and_kubernetes_default(tmp_path: Path) -> None:
    rules = read_rules([written(tmp_path, TRIGGER)])

    assert rules == Rules(
        target=30, activation=2, minimum=0, maximum=100, polling=30, cooldown=300, up=UP, down=DOWN
    )


def test_everything_that_steers_is_read(tmp_path: Path) -> None:
    down = (
        "{stabilizationWindowSeconds: 0, selectPolicy: Min, policies: [{type: Pods, value: 2, periodSeconds: 60}]}"
    )
    behavior = f"advanced: {{horizontalPodAutoscalerConfig: {{behavior: {{scaleDown: {down}}}}}}}"
    numbers = "pollingInterval: 7, cooldownPeriod: 0, minReplicaCount: 1, maxReplicaCount: 9"

    rules = read_rules([written(tmp_path, flow(SERVICE_BUS, behavior, numbers))])

    assert (rules.target, rules.polling, rules.cooldown, rules.minimum, rules.maximum) == (40, 7, 0, 1, 9)
    assert (rules.up, rules.down) == (UP, Behavior(0.0, (Policy(Kind.PODS, 2, 60.0),), Select.MIN))


def test_an_overlays_patch_is_merged_as_kustomize_does_and_null_removes(tmp_path: Path) -> None:
    base = written(tmp_path, flow(SERVICE_BUS, "pollingInterval: 7, cooldownPeriod: 90"), "base.yaml")
    patch = written(tmp_path, flow(TRIGGER, "cooldownPeriod: null, maxReplicaCount: 3"), "patch.yaml")

    rules = read_rules([base, patch])

    assert (rules.target, rules.polling, rules.cooldown, rules.maximum) == (30, 7, 300, 3)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (flow(TRIGGER.replace('"30"', '"0"')), "value: Input should be greater than 0"),
        (flow(TRIGGER.replace("QueueLength", "MessageRate")), "mode: Input should be 'QueueLength'"),
        (flow("triggers: []"), "triggers: List should have at least 1 item"),
        (flow("triggers: [{type: cron, metadata: {}}]"), "triggers.0.type"),
        (flow(TRIGGER, "minReplicaCount: 5, maxReplicaCount: 4"), "0 <= minimum <= maximum"),
        (flow(TRIGGER, "idleReplicaCount: 0"), "idleReplicaCount"),
    ],
)
def test_what_cannot_be_simulated_is_told_with_its_place(tmp_path: Path, spec: str, sentence: str) -> None:
    file = written(tmp_path, spec)

    with pytest.raises(UserError) as told:
        read_rules([file])

    assert str(file) in str(told.value)
    assert sentence in str(told.value)


def test_a_file_without_exactly_one_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(f"{HEAD}---\n{HEAD}")
    (tmp_path / "broken.yaml").write_text("a: [")

    for name, sentence in {
        "two.yaml": "holds 2 documents",
        "broken.yaml": "is not YAML",
        "absent.yaml": "--scaled-object FILE",
    }.items():
        with pytest.raises(UserError, match=sentence):
            read_rules([tmp_path / name])
