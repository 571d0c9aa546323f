"""Reads a ScaledObject on a queue's length, as it is shipped, into the rules that it stands for."""

from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from local.scale_sim.rules import DOWN, UP, Behavior, Kind, Policy, Rules, Select
from shared.command_line import UserError

KIND = "ScaledObject"


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class _Policy(_Part):
    type: Kind
    value: int = Field(gt=0)
    period_seconds: float = Field(gt=0)


class _Behavior(_Part):
    stabilization_window_seconds: float | None = Field(None, ge=0)
    select_policy: Select = Select.MAX
    policies: list[_Policy] | None = Field(None, min_length=1)


class _Behaviors(_Part):
    scale_up: _Behavior = _Behavior()
    scale_down: _Behavior = _Behavior()


class _Autoscaler(_Part):
    behavior: _Behaviors = _Behaviors()


class _Advanced(_Part):
    horizontal_pod_autoscaler_config: _Autoscaler = _Autoscaler()


class _RabbitMQ(_Part):
    mode: Literal["QueueLength"]
    value: float = Field(gt=0)
    activation_value: float = 0.0
    exclude_unacknowledged: Literal["false"] = "false"


class _ServiceBus(_Part):
    message_count: float = Field(5.0, gt=0)
    activation_message_count: float = 0.0


class _Trigger(_Part):
    type: Literal["rabbitmq", "azure-servicebus"]
    metadata: dict[str, Any]
    metric_type: Literal["AverageValue"] = "AverageValue"

    def thresholds(self) -> tuple[float, float]:
        """(target, activation) in messages; raises ValidationError."""
        if self.type == "rabbitmq":
            rabbitmq = _RabbitMQ.model_validate(self.metadata)
            return rabbitmq.value, rabbitmq.activation_value
        service_bus = _ServiceBus.model_validate(self.metadata)
        return service_bus.message_count, service_bus.activation_message_count


class _Spec(_Part):
    polling_interval: float = Field(30.0, gt=0)
    cooldown_period: float = Field(300.0, ge=0)
    min_replica_count: int = Field(0, ge=0)
    max_replica_count: int = Field(100, gt=0)
    idle_replica_count: None = None
    advanced: _Advanced = _Advanced()
    triggers: list[_Trigger] = Field(min_length=1, max_length=1)


def read_rules(paths: Sequence[Path]) -> Rules:
    """The rules of a ScaledObject and of its overlay's patches, one a file; raises UserError.

    What they say beyond the rules, such as `fallback`, is left out.
    """
    document = reduce(_merged, map(_only_scaled_object, paths))
    try:
        spec = _Spec.model_validate(document.get("spec"))
        target, activation = spec.triggers[0].thresholds()
        return _rules(spec, target, activation)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise UserError(f"{_names(paths)}: this {KIND} cannot be simulated: {problems}.") from error
    except ValueError as error:
        raise UserError(f"{_names(paths)}: {error}") from error


def _names(paths: Sequence[Path]) -> str:
    return " with ".join(map(str, paths))


def _merged(document: Any, patch: Any) -> Any:
    """As Kustomize patches a custom resource: mappings are merged, anything else is replaced (RFC 7396)."""
    if not (isinstance(document, dict) and isinstance(patch, dict)):
        return patch
    merged = {name: _merged(document.get(name), value) for name, value in patch.items() if value is not None}
    return {name: value for name, value in document.items() if name not in patch} | merged


def _only_scaled_object(path: Path) -> dict[str, Any]:
    try:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}): name the {KIND} of score with --scaled-object FILE."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not YAML: {error}") from error
    found = [each for each in documents if isinstance(each, dict) and each.get("kind") == KIND]
    if len(found) != 1:
        raise UserError(f"{path} holds {len(found)} documents of kind {KIND}; name a file with exactly one.")
    return found[0]


def _rules(spec: _Spec, target: float, activation: float) -> Rules:
    behavior = spec.advanced.horizontal_pod_autoscaler_config.behavior
    return Rules(
        target=target,
        activation=activation,
        minimum=spec.min_replica_count,
        maximum=spec.max_replica_count,
        polling=spec.polling_interval,
        cooldown=spec.cooldown_period,
        up=_behavior(behavior.scale_up, UP),
        down=_behavior(behavior.scale_down, DOWN),
    )


def _behavior(given: _Behavior, default: Behavior) -> Behavior:
    """What was given, and the Kubernetes API's default for the rest."""
    window = given.stabilization_window_seconds
    policies = given.policies
    return Behavior(
        window=default.window if window is None else window,
        policies=default.policies
        if policies is None
        else tuple(Policy(each.type, each.value, each.period_seconds) for each in policies),
        select=given.select_policy,
    )
