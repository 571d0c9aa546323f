"""The rules by which KEDA and the HPA choose the number of replicas, as pure functions of state, queue and time.

Times are seconds on any one clock. Sources: KEDA's pkg/scaling/executor/scale_scaledobjects.go, Kubernetes'
pkg/controller/podautoscaler/horizontal.go (with `behavior`) and replica_calculator.go (AverageValue).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import ceil


class Kind(StrEnum):
    """What a policy's value counts."""

    PODS = "Pods"
    PERCENT = "Percent"


class Select(StrEnum):
    """Which of several policies holds: that which allows most, that which allows least, or no change."""

    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


@dataclass(frozen=True, slots=True)
class Policy:
    """At most `value` pods or percent within `period` seconds."""

    kind: Kind
    value: int
    period: float

    def added(self, replicas: int) -> int:
        """What may stand at the end of a period that began with `replicas`."""
        return replicas + self.value if self.kind is Kind.PODS else ceil(replicas * (100 + self.value) / 100)

    def left(self, replicas: int) -> int:
        """What must stay at the end of a period that began with `replicas`."""
        return replicas - self.value if self.kind is Kind.PODS else int(replicas * (100 - self.value) / 100)


@dataclass(frozen=True, slots=True)
class Behavior:
    """How fast the HPA may move in one direction; `window` is the stabilisation in seconds."""

    window: float
    policies: tuple[Policy, ...]
    select: Select = Select.MAX


UP = Behavior(0.0, (Policy(Kind.PERCENT, 100, 15.0), Policy(Kind.PODS, 4, 15.0)))
DOWN = Behavior(300.0, (Policy(Kind.PERCENT, 100, 15.0),))
"""What the Kubernetes API fills in where a `behavior` leaves a direction out."""


@dataclass(frozen=True, slots=True)
class Rules:
    """A ScaledObject on a queue's length, and the HPA's own periods, in seconds.

    KEDA looks every `polling` and holds replicas until `cooldown` after the queue last had more than `activation`
    messages; the HPA looks every `sync` and wants one replica for each `target` messages.
    """

    target: float
    maximum: int
    minimum: int = 0
    activation: float = 0.0
    polling: float = 30.0
    cooldown: float = 300.0
    up: Behavior = UP
    down: Behavior = DOWN
    sync: float = 15.0
    tolerance: float = 0.1

    def __post_init__(self) -> None:
        if not (self.target > 0 and 0 <= self.minimum <= self.maximum and self.maximum > 0):
            raise ValueError("The target must be above 0, and 0 <= minimum <= maximum, maximum above 0.")
        if min(self.polling, self.sync) <= 0 or min(self.cooldown, self.up.window, self.down.window) < 0:
            raise ValueError("Polling and sync must take time, and no period may be negative.")


def sped_up(rules: Rules, speed: float) -> Rules:
    """The same rules with every period divided by `speed`."""
    return replace(
        rules,
        polling=rules.polling / speed,
        cooldown=rules.cooldown / speed,
        sync=rules.sync / speed,
        up=_sped_up(rules.up, speed),
        down=_sped_up(rules.down, speed),
    )


def _sped_up(behavior: Behavior, speed: float) -> Behavior:
    policies = tuple(replace(policy, period=policy.period / speed) for policy in behavior.policies)
    return replace(behavior, window=behavior.window / speed, policies=policies)


@dataclass(frozen=True, slots=True)
class Noted:
    """A number the HPA remembers: replicas that it once wanted, or by how many it changed them."""

    at: float
    number: int


@dataclass(frozen=True, slots=True)
class State:
    """What both remember. `changes` are the HPA's own, positive and negative."""

    replicas: int = 0
    last_active: float | None = None
    wanted: tuple[Noted, ...] = field(default=())
    changes: tuple[Noted, ...] = field(default=())


def advance(state: State, rules: Rules, queue: float, before: float, now: float) -> State:
    """The state after whichever of the two looked at the queue within (before, now]."""
    if now // rules.polling > before // rules.polling:
        state = poll(state, rules, queue, now)
    if now // rules.sync > before // rules.sync:
        state = sync(state, rules, queue, now)
    return state


def poll(state: State, rules: Rules, queue: float, now: float) -> State:
    """KEDA looks: from zero as soon as there is work, to zero from any number once it has cooled down."""
    if queue > rules.activation:
        return replace(state, last_active=now, replicas=state.replicas or max(rules.minimum, 1))
    if state.replicas < rules.minimum:
        return replace(state, replicas=rules.minimum)
    cooled = state.last_active is None or state.last_active + rules.cooldown < now
    return replace(state, replicas=0) if cooled and rules.minimum == 0 else state


def sync(state: State, rules: Rules, queue: float, now: float) -> State:
    """The HPA looks: between one (or the minimum) and the maximum; a target of zero replicas it leaves alone."""
    if state.replicas == 0:
        return state
    desired = desired_replicas(state.replicas, rules, queue)
    chosen = _limited(state, rules, _stabilised(state, rules, desired, now), now)
    wanted = (*_since(state.wanted, now - max(rules.up.window, rules.down.window)), Noted(now, desired))
    longest = max(policy.period for each in (rules.up, rules.down) for policy in each.policies)
    changes = (*_since(state.changes, now - longest), Noted(now, chosen - state.replicas))
    return replace(state, replicas=chosen, wanted=wanted, changes=changes)


def desired_replicas(replicas: int, rules: Rules, queue: float) -> int:
    """One for each `target` messages; as it is where that is within the tolerance."""
    if abs(1 - queue / (rules.target * replicas)) <= rules.tolerance:
        return replicas
    return ceil(queue / rules.target)


def _stabilised(state: State, rules: Rules, desired: int, now: float) -> int:
    """The most careful of what was wanted within the direction's window."""
    if desired >= state.replicas:
        return min([desired, *_numbers(_since(state.wanted, now - rules.up.window))])
    return max([desired, *_numbers(_since(state.wanted, now - rules.down.window))])


def _limited(state: State, rules: Rules, desired: int, now: float) -> int:
    """As far in that direction as the policies allow, and never outside minimum and maximum."""
    allowed = desired
    if desired > state.replicas:
        allowed = min(desired, max(state.replicas, _most(state, rules.up, now)))
    elif desired < state.replicas:
        allowed = max(desired, min(state.replicas, _least(state, rules.down, now)))
    return max(rules.minimum, 1, min(rules.maximum, allowed))


def _most(state: State, up: Behavior, now: float) -> int:
    if up.select is Select.DISABLED:
        return state.replicas
    choose = max if up.select is Select.MAX else min
    return choose(policy.added(_at_start(state, policy, now)) for policy in up.policies)


def _least(state: State, down: Behavior, now: float) -> int:
    if down.select is Select.DISABLED:
        return state.replicas
    choose = min if down.select is Select.MAX else max
    return choose(policy.left(_at_start(state, policy, now)) for policy in down.policies)


def _at_start(state: State, policy: Policy, now: float) -> int:
    """How many there were when the policy's period began, as far as the HPA changed them."""
    return state.replicas - sum(_numbers(_since(state.changes, now - policy.period)))


def _since(noted: Iterable[Noted], start: float) -> tuple[Noted, ...]:
    return tuple(each for each in noted if each.at > start)


def _numbers(noted: Iterable[Noted]) -> list[int]:
    return [each.number for each in noted]
