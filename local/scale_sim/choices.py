"""The day with the shipped rules, with one number of theirs changed at a time, and with pods that never sleep."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from local.scale_sim.day import Traffic
from local.scale_sim.model import Played, Pod, play_day
from local.scale_sim.picture import Line, Panel, Time, picture
from local.scale_sim.rules import DOWN, UP, Behavior, Kind, Policy, Rules

SHIPPED = "as shipped"


def _down(percent: int, period: float, window: float = 300.0) -> Behavior:
    return Behavior(window, (Policy(Kind.PERCENT, percent, period),))


CHANGES: dict[str, dict[str, Any]] = {
    "polling 2 s": {"polling": 2.0},
    "polling 15 s": {"polling": 15.0},
    "polling 30 s": {"polling": 30.0},
    "cooldown 60 s": {"cooldown": 60.0},
    "cooldown 600 s": {"cooldown": 600.0},
    "target 25": {"target": 25.0},
    "target 50": {"target": 50.0},
    "target 200": {"target": 200.0},
    "target 400": {"target": 400.0},
    "maximum 5": {"maximum": 5},
    "maximum 10": {"maximum": 10},
    "maximum 40": {"maximum": 40},
    "minimum 1": {"minimum": 1},
    "up only if wanted 30 s": {"up": replace(UP, window=30.0)},
    "down at once after 300 s": {"down": DOWN},
    "down 25 % a minute": {"down": _down(25, 60.0)},
    "down 10 %, window 60 s": {"down": _down(10, 60.0, window=60.0)},
}
DRAWN_EVERY = 60


@dataclass(frozen=True, slots=True)
class Choice:
    """Rules under a name, and the day with them."""

    name: str
    played: Played


def choices(
    traffic: Traffic, shipped: Rules, pod: Pod, seed: int, tell: Callable[[str], None]
) -> Iterator[Choice]:
    """The shipped rules first, always-on last; about half a second each."""
    base = play_day(traffic, shipped, pod, seed)
    yield Choice(SHIPPED, base)
    for name, change in CHANGES.items():
        changed = replace(shipped, **change)
        if changed != shipped:
            tell(f"The day with {name}")
            yield Choice(name, play_day(traffic, changed, pod, seed))
    for number in sorted({5, 10, shipped.maximum}):
        always = replace(shipped, minimum=number, maximum=number)
        yield Choice(f"always {number}", play_day(traffic, always, pod, seed))


def as_row(choice: Choice) -> dict[str, Any]:
    """Cost and waits of a choice: waits in seconds, one below a second counts as none; shares of all payments."""
    played = choice.played
    return {
        "rules": choice.name,
        "pod_hours": round(played.pod_hours, 1),
        "most": played.most,
        "wakes": played.starts_from_zero,
        "p99": played.wait(0.99),
        "longest": played.wait(1.0),
        "over_1s": round(played.waited_over(1.0), 4),
        "over_30s": round(played.waited_over(30.0), 4),
    }


def drawn(choice: Choice) -> str:
    """Payments, replicas, backlog and waits over the day."""
    played = choice.played
    panels = (
        Panel("Payments a second", [Line("", _minutes(played.payments, mean=True))]),
        Panel("Replicas", [Line("", _minutes(played.replicas), steps=True)]),
        Panel("Envelopes waiting", [Line("", _minutes(played.backlog))]),
        Panel("Seconds that payments waited, the longest of each minute", [Line("", _minutes(played.waits))]),
    )
    return picture("A made-up day under the rules, simulated", panels, Time(24, 2, "h"))


def _minutes(series: Any, *, mean: bool = False) -> list[tuple[float, float]]:
    """One point a minute: the greatest of it, or the mean."""
    minutes = series.reshape(-1, DRAWN_EVERY)
    values = minutes.mean(axis=1) if mean else minutes.max(axis=1)
    return [(number / 60, float(value)) for number, value in enumerate(values)]
