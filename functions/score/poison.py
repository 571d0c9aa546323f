"""The share of poison among the last messages, and whether score should pause: a pure value."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto


class Standing(Enum):
    """FLOWING: ready. PAUSING: a pause is due. TRIAL: after a pause, and not ready, until so many were tried."""

    FLOWING = auto()
    PAUSING = auto()
    TRIAL = auto()


@dataclass(frozen=True, slots=True)
class PoisonLimits:
    """Pause once more than `share` of the last `window` messages is poison, of at least `minimum` messages."""

    window: int = 200
    minimum: int = 50
    share: float = 0.5


@dataclass(frozen=True, slots=True)
class PoisonWatch:
    """The poison of the last messages (0 none, 1 all of its items, per message), and what that means.

    After a pause `minimum` messages are tried, which alone decide whether it flows again or pauses once more:
    were only one tried, a thousand pieces of rubbish would hold up what stands behind them for hours.
    """

    limits: PoisonLimits = PoisonLimits()
    recent: tuple[float, ...] = ()
    standing: Standing = Standing.FLOWING

    def after(self, poison: Sequence[float]) -> "PoisonWatch":
        """The watch after further messages."""
        recent = (*self.recent, *poison)[-self.limits.window :]
        watch = replace(self, recent=recent)
        if self.standing is Standing.PAUSING or len(recent) < self.limits.minimum:
            return watch
        beyond = watch.share > self.limits.share
        return replace(watch, standing=Standing.PAUSING if beyond else Standing.FLOWING)

    def after_pause(self) -> "PoisonWatch":
        """The watch once a pause is over; without one that was due it stays as it is."""
        return PoisonWatch(self.limits, (), Standing.TRIAL) if self.standing is Standing.PAUSING else self

    @property
    def share(self) -> float:
        """The share of poison in the window, 0 to 1."""
        return sum(self.recent) / len(self.recent) if self.recent else 0.0
