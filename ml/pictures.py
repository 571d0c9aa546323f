"""Curves as SVG that a page can hold without a library or a script."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 24, 12, 44
TICKS = 5


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis from 0 to `end`, in percent."""

    title: str
    end: float = 1.0


def curve(points: Points, x: Axis, y: Axis, *, reference: Points = (), dots: bool = False) -> str:
    """A line through points in [0, x.end] x [0, y.end], with a dashed line to compare it with."""
    parts = [*_grid(x, y), _line(reference, x, y, "reference"), _line(points, x, y, "curve")]
    if dots:
        parts += [f'<circle class="dot" cx="{_x(a, x)}" cy="{_y(b, y)}" r="4"/>' for a, b in points]
    title = escape(f"{y.title} over {x.title}")
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">{"".join(parts)}</svg>'


def _x(value: float, axis: Axis) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * value / axis.end, 1)


def _y(value: float, axis: Axis) -> float:
    return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / axis.end, 1)


def _line(points: Points, x: Axis, y: Axis, kind: str) -> str:
    return f'<polyline class="{kind}" points="{" ".join(f"{_x(a, x)},{_y(b, y)}" for a, b in points)}"/>'


def _grid(x: Axis, y: Axis) -> Iterable[str]:
    for tick in range(TICKS + 1):
        at_x, at_y = x.end * tick / TICKS, y.end * tick / TICKS
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_y(at_y, y)}" y2="{_y(at_y, y)}"/>'
        yield f'<text x="{LEFT - 6}" y="{_y(at_y, y) + 4}" text-anchor="end">{_percent(at_y)}</text>'
        yield f'<text x="{_x(at_x, x)}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{_percent(at_x)}</text>'
    middle = (HEIGHT - BOTTOM + TOP) / 2
    yield f'<text x="{(WIDTH + LEFT - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x.title)}</text>'
    yield f'<text transform="translate(12 {middle}) rotate(-90)" text-anchor="middle">{escape(y.title)}</text>'


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"
