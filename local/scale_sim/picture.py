"""Panels over one axis of time, as an SVG that needs neither library, style sheet nor script."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain, pairwise

Points = Sequence[tuple[float, float]]

WIDTH, PANEL, GAP = 860, 130, 34
LEFT, RIGHT, TOP = 74, 16, 40
COLOURS = ("#1668b8", "#c2571a", "#2c8a57")
TICKS = 8


@dataclass(frozen=True, slots=True)
class Line:
    """A curve and what it shows; `steps` where a value holds until the next."""

    title: str
    points: Points
    steps: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves with a common scale that begins at 0."""

    title: str
    lines: Sequence[Line]

    @property
    def end(self) -> float:
        """The upper end of the scale."""
        return _round_up(max((y for line in self.lines for _, y in line.points), default=1.0))


@dataclass(frozen=True, slots=True)
class Time:
    """The common axis from 0 to `end`, with a mark each `every`; `unit` is what it counts."""

    end: float
    every: float
    unit: str


def picture(title: str, panels: Sequence[Panel], time: Time) -> str:
    """The panels one below the other."""
    height = TOP + len(panels) * (PANEL + GAP)
    parts = [f'<text x="{LEFT}" y="18" font-weight="bold" font-size="14">{escape(title)}</text>']
    for number, panel in enumerate(panels):
        parts += _panel(panel, TOP + number * (PANEL + GAP), time)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" font-size="11" fill="#1d2733">'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _panel(panel: Panel, top: float, time: Time) -> Iterable[str]:
    bottom = top + PANEL
    for share in (0.0, 0.5, 1.0):
        y = bottom - PANEL * share
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:g}" y2="{y:g}" stroke="#e3e8ee"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:g}" text-anchor="end">{panel.end * share:,.6g}</text>'
    for tick in range(int(time.end / time.every) + 1):
        x, text = _x(tick * time.every, time), f"{tick * time.every:g} {time.unit}"
        yield f'<text x="{x:g}" y="{bottom + 14:g}" text-anchor="middle" fill="#4a5968">{text}</text>'
    yield f'<text x="{LEFT}" y="{top - 5:g}">{escape(panel.title)}</text>'
    for number, line in enumerate(panel.lines):
        yield from _line(line, number, panel, top, time)


def _line(line: Line, number: int, panel: Panel, top: float, time: Time) -> Iterable[str]:
    colour, right = COLOURS[number], WIDTH - RIGHT - 110 * (len(panel.lines) - 1 - number)
    drawn = _without_middles(_stepped(line.points) if line.steps else line.points)
    points = (f"{_x(x, time):.1f},{top + PANEL * (1 - y / panel.end):.1f}" for x, y in drawn)
    yield f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{" ".join(points)}"/>'
    if len(panel.lines) > 1:
        yield f'<text x="{right}" y="{top - 5:g}" text-anchor="end" fill="{colour}">{escape(line.title)}</text>'


def _stepped(points: Points) -> list[tuple[float, float]]:
    """With a corner before each change."""
    corners = [(x, before) for (_, before), (x, _) in pairwise(points)]
    return [*points[:1], *chain.from_iterable(zip(corners, points[1:], strict=True))]


def _without_middles(points: Points) -> list[tuple[float, float]]:
    """Without what lies between two points of its own height."""
    inner = [b for a, b, c in zip(points, points[1:], points[2:], strict=False) if not a[1] == b[1] == c[1]]
    return [*points[:1], *inner, *points[1:][-1:]]


def _x(at: float, time: Time) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * at / time.end


def _round_up(value: float) -> float:
    """The next of 1, 2, 3, 4, 5, 6, 8, 10 times a power of ten."""
    power = 10.0 ** (len(str(int(value))) - 1) if value >= 1 else 1.0
    return next((step * power for step in (1, 2, 3, 4, 5, 6, 8, 10) if value <= step * power), 10 * power)
