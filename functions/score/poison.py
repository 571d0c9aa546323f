"""The share of poison among the last messages, and whether score should pause: a pure value."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PoisonLimits:
    """Pause once more than `share` of the last `window` messages is poison, of at least `minimum` messages."""

    window: int = 200
    minimum: int = 50
    share: float = 0.5


@dataclass(frozen=True, slots=True)
class PoisonWatch:
    """The poison of the last messages (0 none, 1 all of its items, per message), and whether that means a pause.

    A pause ends with the first batch that is no poison beyond the limit; what came before is forgotten then.
    """

    limits: PoisonLimits = PoisonLimits()
    recent: tuple[float, ...] = ()
    paused: bool = False

    def after(self, poison: Sequence[float]) -> "PoisonWatch":
        """The watch after further messages."""
        if not poison:
            return self
        if self.paused and _mean(poison) <= self.limits.share:
            return PoisonWatch(self.limits, tuple(poison)[-self.limits.window :])
        recent = (*self.recent, *poison)[-self.limits.window :]
        beyond = len(recent) >= self.limits.minimum and _mean(recent) > self.limits.share
        return PoisonWatch(self.limits, recent, self.paused or beyond)

    @property
    def share(self) -> float:
        """The share of poison in the window, 0 to 1."""
        return _mean(self.recent) if self.recent else 0.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
