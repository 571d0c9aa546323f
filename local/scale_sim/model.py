"""Plays a day of traffic against the rules, second by second, with pods of a given speed; starts no process."""

from dataclasses import dataclass

import numpy as np

from local.scale_sim.day import Series, Traffic
from local.scale_sim.rules import Rules, State, advance
from shared.messages.envelope import MAX_ITEMS


@dataclass(frozen=True, slots=True)
class Pod:
    """Seconds that a scorer works on an envelope of one and on a full one, needs to be ready, and needs to go."""

    one: float
    full: float
    start: float
    stop: float

    def seconds(self, size: Series) -> Series:
        """Of work for an envelope of so many transactions."""
        return self.one + (self.full - self.one) * (size - 1) / (MAX_ITEMS - 1)


@dataclass(frozen=True, slots=True)
class Played:
    """For each second: replicas, envelopes waiting, and how long a payment of that second waited, in seconds."""

    pod: Pod
    replicas: Series
    backlog: Series
    waits: Series
    payments: Series
    starts_from_zero: int

    @property
    def pod_hours(self) -> float:
        """Paid for: from a pod's creation until it is gone."""
        gone = -np.minimum(np.diff(self.replicas), 0.0).sum()
        return float(self.replicas.sum() + gone * self.pod.stop) / 3600

    @property
    def most(self) -> int:
        """The most replicas at a time."""
        return round(float(np.max(self.replicas)))

    def wait(self, share: float) -> float:
        """Seconds that this share of the payments waited at most."""
        order = np.argsort(self.waits)
        upto = np.cumsum(self.payments[order])
        return float(self.waits[order][min(np.searchsorted(upto, share * upto[-1]), len(upto) - 1)])

    def waited_over(self, seconds: float) -> float:
        """The share of payments that waited longer."""
        return float(self.payments[self.waits > seconds].sum() / self.payments.sum())


def play_day(traffic: Traffic, rules: Rules, pod: Pod, seed: int) -> Played:
    """Replicas, backlog and waits of the day; the first pods of a minimum are there from the start."""
    envelopes, work = traffic.envelopes, traffic.envelopes * pod.seconds(traffic.size)
    chance, state, pods = np.random.default_rng(seed), State(rules.minimum), [-pod.start] * rules.minimum
    waiting = undone = 0.0
    starts = 0
    replicas, backlog, served = np.zeros_like(work), np.zeros_like(work), np.zeros_like(work)
    for second in range(len(work)):
        waiting, undone = waiting + envelopes[second], undone + work[second]
        ready = sum(created + pod.start <= second for created in pods)
        done = min(undone, float(ready))
        waiting *= 1 - done / undone if undone else 0.0
        undone -= done
        seen = waiting + chance.poisson(done)  # by Little's law as many are in hand as seconds of work are done
        before, state = state.replicas, advance(state, rules, seen, second - 1, second)
        starts += before == 0 < state.replicas
        pods = pods[: state.replicas] + [float(second)] * (state.replicas - len(pods))
        replicas[second], backlog[second], served[second] = state.replicas, waiting, done
    return Played(pod, replicas, backlog, _waits(work, served), traffic.payments, starts)


def _waits(work: Series, served: Series) -> Series:
    """First come, first served: until as much work is done as had come by the end of that second."""
    second = np.arange(len(work))
    done_at = np.searchsorted(np.cumsum(served), np.cumsum(work) - 1e-9)
    return np.maximum(0.0, np.minimum(done_at, len(work)) - second).astype(float)
