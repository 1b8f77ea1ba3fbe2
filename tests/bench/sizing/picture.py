"""Lines in a plane as SVG, with nothing but text: two figures of SIZING.md."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

_COLOURS = ("#1b6ca8", "#d1495b", "#2e8b57", "#b8860b", "#6a4c93")
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 400, 70, 150, 44, 52


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What is told along it, at which places there are marks, and whether each step is a multiple."""

    title: str
    marks: Sequence[float]
    logarithmic: bool = False

    def part(self, value: float) -> float:
        """Where a value lies between the first mark and the last, 0 to 1."""
        first, last = (self.of(mark) for mark in (self.marks[0], self.marks[-1]))
        return min(1.0, max(0.0, (self.of(value) - first) / (last - first)))

    def of(self, value: float) -> float:
        """The value as it is drawn."""
        return math.log(max(value, 1e-9)) if self.logarithmic else value


def drawn(title: str, x: Axis, y: Axis, lines: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Return the figure."""

    def across(value: float) -> float:
        return _LEFT + x.part(value) * (_WIDTH - _LEFT - _RIGHT)

    def up(value: float) -> float:
        return _HEIGHT - _BOTTOM - y.part(value) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}">',
        '<g font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="24" font-size="16">{escape(title)}</text>',
    ]
    for mark in y.marks:
        at = up(mark)
        parts += [
            f'<line x1="{_LEFT}" y1="{at:.1f}" x2="{_WIDTH - _RIGHT}" y2="{at:.1f}" stroke="#ddd"/>',
            f'<text x="{_LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{mark:g}</text>',
        ]
    for mark in x.marks:
        parts.append(f'<text x="{across(mark):.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{mark:g}</text>')
    middle = (_HEIGHT - _BOTTOM + _TOP) / 2
    parts += [
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 12}" text-anchor="middle">{escape(x.title)}</text>',
        f'<text x="16" y="{middle}" text-anchor="middle" transform="rotate(-90 16 {middle})">{escape(y.title)}</text>',
    ]
    for number, (name, points) in enumerate(lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        path = " ".join(f"{across(a):.1f},{up(b):.1f}" for a, b in points)
        parts += [
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>',
            f'<text x="{_WIDTH - _RIGHT + 10}" y="{_TOP + 20 * number + 10}" fill="{colour}">{escape(name)}</text>',
        ]
    return "\n".join([*parts, "</g>", "</svg>"]) + "\n"
