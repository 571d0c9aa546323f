"""The day with the shipped rules, with one number of theirs changed at a time, and with pods that never sleep."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from local.scale_sim.day import Traffic
from local.scale_sim.model import LONG_SECONDS, Played, Pod, play_day
from local.scale_sim.picture import Line, Panel, Time, picture
from local.scale_sim.rules import Rules

SHIPPED = "as shipped"
CHANGES: dict[str, tuple[float, ...]] = {
    "polling": (2, 15, 30),
    "cooldown": (30, 60, 600, 1_800),
    "target": (10, 25, 50, 200, 400),
    "maximum": (3, 5, 10, 40),
    "up.window": (0, 15, 30, 60),
    "down.window": (0, 60, 300, 900),
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
    for name, rules in _variants(shipped):
        tell(f"The day with {name}")
        yield Choice(name, play_day(traffic, rules, pod, seed))
    for number in sorted({1, shipped.maximum}):
        always = replace(shipped, minimum=number, maximum=number)
        yield Choice(f"always {number}", play_day(traffic, always, pod, seed))


def as_row(choice: Choice) -> dict[str, Any]:
    """Cost and waits of a choice; waits in seconds, below one counts as none."""
    played = choice.played
    return {
        "rules": choice.name,
        "pod_hours": round(played.pod_hours, 1),
        "most": played.most,
        "starts_from_zero": played.starts_from_zero,
        "p50": played.wait(0.5),
        "p99": played.wait(0.99),
        "p9999": played.wait(0.9999),
        f"over_{LONG_SECONDS:g}s": round(played.waited_long(), 6),
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


def _variants(shipped: Rules) -> Iterator[tuple[str, Rules]]:
    for name, values in CHANGES.items():
        for value in values:
            changed = _with(shipped, name, value)
            if changed != shipped:
                yield f"{name} {value:g}", changed


def _with(rules: Rules, name: str, value: float) -> Rules:
    match name.split("."):
        case ["maximum"]:
            return replace(rules, maximum=int(value))
        case ["polling"]:
            return replace(rules, polling=value)
        case ["cooldown"]:
            return replace(rules, cooldown=value)
        case ["target"]:
            return replace(rules, target=value)
        case ["up", _]:
            return replace(rules, up=replace(rules.up, window=value))
    return replace(rules, down=replace(rules.down, window=value))
