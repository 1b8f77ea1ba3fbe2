"""Panels as SVG, in the manner of Grafana's dark theme: one function for each kind that the dashboards use."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

from tests.pictures.scales import PALETTE, by_threshold, ticks, written

Json = dict[str, Any]
_MUTED, _GRID = "#8e9097", "rgba(204,204,220,0.09)"
_GROUND = "#181b1f"
"""A panel's own; what is stacked covers what it stands on."""
_LEFT, _BOTTOM, _TOP = 62, 20, 6


@dataclass(frozen=True, slots=True)
class Series:
    """A named course: points are (time, value), and a gap is a point that is not a number."""

    name: str
    labels: dict[str, str]
    points: list[tuple[float, float]]

    @property
    def last(self) -> float:
        return next((value for _, value in reversed(self.points) if math.isfinite(value)), math.nan)


@dataclass(frozen=True, slots=True)
class Field:
    """Where to draw, in pixels, and from when to when."""

    width: float
    height: float
    start: float
    end: float

    def x(self, at: float) -> float:
        return _LEFT + (at - self.start) / (self.end - self.start) * (self.width - _LEFT - 12)

    def y(self, part: float) -> float:
        return _TOP + (1 - part) * (self.height - _TOP - _BOTTOM)


def colours(panel: Json, series: list[Series]) -> list[str]:
    """Return each series' colour: the override that fits its name, or the palette's next."""
    fixed = {
        override["matcher"]["options"].removeprefix("/^").removesuffix("( .*)?$/"): override["properties"][0]["value"][
            "fixedColor"
        ]
        for override in panel["fieldConfig"]["overrides"]
    }
    return [fixed.get(each.name.split(" ")[0], PALETTE[index % len(PALETTE)]) for index, each in enumerate(series)]


def text(x: float, y: float, words: str, *, anchor: str = "start", size: float = 11, colour: str = _MUTED) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size:g}" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )


def rectangle(x: float, y: float, width: float, height: float, colour: str, opacity: float) -> str:  # noqa: PLR0917
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect {place} fill="{colour}" fill-opacity="{opacity:.2f}"/>'


def _clock(field: Field) -> Iterator[str]:
    span = field.end - field.start
    step = next((s for s in (15, 30, 60, 120, 300, 600, 1800, 3600) if span / s <= field.width / 90), 3600)
    at = math.ceil(field.start / step) * step
    while at <= field.end:
        x = field.x(at)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{field.height - _BOTTOM}" stroke="{_GRID}"/>'
        style = "%H:%M:%S" if step < 60 else "%H:%M"
        yield text(x, field.height - 5, time.strftime(style, time.gmtime(at)), anchor="middle")
        at += step


def _stacked(series: list[Series]) -> list[Series]:
    below: dict[float, float] = {}
    stacked = []
    for each in series:
        points = []
        for at, value in each.points:
            below[at] = below.get(at, 0.0) + (value if math.isfinite(value) else 0.0)
            points.append((at, below[at]))
        stacked.append(Series(each.name, each.labels, points))
    return stacked


def timeseries(panel: Json, series: list[Series], field: Field) -> str:
    custom, unit = panel["fieldConfig"]["defaults"]["custom"], panel["fieldConfig"]["defaults"]["unit"]
    stacked = custom["stacking"]["mode"] == "normal"
    drawn = _stacked(series) if stacked else series
    values = [value for each in drawn for _, value in each.points if math.isfinite(value)]
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    top = panel["fieldConfig"]["defaults"].get("max") or max([*values, 1e-9]) * 1.08
    if custom["thresholdsStyle"]["mode"] != "off" and top > 0.3 * steps[-1]["value"]:
        top = max(top, steps[-1]["value"] * 1.1)
    if top < 1e-8:
        top = 1.0
    out = list(_clock(field))
    for tick in ticks(top, unit):
        y = field.y(tick / top)
        out.append(f'<line x1="{_LEFT}" x2="{field.width - 12}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_GRID}"/>')
        out.append(text(_LEFT - 8, y + 4, written(tick, unit), anchor="end"))
    paint = list(zip(drawn, series, colours(panel, series), strict=True))
    for each, own, colour in reversed(paint):
        out.append(_line(_placed(each, own, field, top), colour, custom, field))
    if custom["thresholdsStyle"]["mode"] != "off" and steps[-1]["value"] <= top:
        y = field.y(steps[-1]["value"] / top)
        out.append(
            f'<line x1="{_LEFT}" x2="{field.width - 12}" y1="{y:.1f}" y2="{y:.1f}" stroke="{steps[-1]["color"]}" '
            'stroke-dasharray="8 6" stroke-opacity="0.8"/>'
        )
    return "".join(out)


def _placed(drawn: Series, own: Series, field: Field, top: float) -> list[tuple[float, float, float]]:
    """Where each point is drawn, and what the series itself has there."""
    return [
        (field.x(at), field.y(min(1.0, value / top)), mine)
        for (at, value), (_, mine) in zip(drawn.points, own.points, strict=True)
    ]


def _line(here: list[tuple[float, float, float]], colour: str, custom: Json, field: Field) -> str:
    if custom["drawStyle"] == "bars":
        wide = max(1.0, (field.width - _LEFT) / max(1, len(here)) * 0.8)
        return "".join(
            rectangle(x - wide / 2, y, wide, field.y(0) - y, _GROUND, 1)
            + rectangle(x - wide / 2, y, wide, field.y(0) - y, colour, custom["fillOpacity"] / 100)
            for x, y, mine in here
            if math.isfinite(mine) and mine > 0
        )
    out = ""
    for run in _runs(here):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in run)
        ground = f"{run[-1][0]:.1f},{field.y(0):.1f} {run[0][0]:.1f},{field.y(0):.1f}"
        if custom["stacking"]["mode"] == "normal":
            out += f'<polygon points="{path} {ground}" fill="{_GROUND}"/>'
        opacity = custom["fillOpacity"] / 100
        out += f'<polygon points="{path} {ground}" fill="{colour}" fill-opacity="{opacity}"/>'
        out += f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{custom["lineWidth"]}"/>'
    return out


def _runs(points: list[tuple[float, float, float]]) -> list[list[tuple[float, float]]]:
    runs: list[list[tuple[float, float]]] = [[]]
    for x, y, own in points:
        if math.isfinite(own) and math.isfinite(y):
            runs[-1].append((x, y))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def stat(panel: Json, series: list[Series], field: Field) -> str:
    if not series:
        return _nothing(field)
    defaults = panel["fieldConfig"]["defaults"]
    value = series[0].last
    colour = by_threshold(value, defaults["thresholds"]["steps"])
    values = [each for _, each in series[0].points if math.isfinite(each)]
    top, low = max([*values, 1e-9]), min([*values, 0.0])
    part = [
        (
            (at - field.start) / (field.end - field.start) * field.width,
            field.height - 2 - (each - low) / ((top - low) or 1) * field.height * 0.38,
            each,
        )
        for at, each in series[0].points
    ]
    out = ""
    for run in _runs(part):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in run)
        ground = f"{run[-1][0]:.1f},{field.height:.1f} {run[0][0]:.1f},{field.height:.1f}"
        out += f'<polygon points="{path} {ground}" fill="{colour}" fill-opacity="0.16"/>'
        out += f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-opacity="0.75" stroke-width="1.2"/>'
    words = f"{value:.0f}" if defaults.get("decimals") == 0 else written(value, defaults["unit"])
    size = min(34.0, field.width / max(1, len(words)) * 1.5)
    place = field.height * 0.52
    return out + (
        f'<text x="{field.width / 2:.1f}" y="{place:.1f}" fill="{colour}" font-size="{size:.1f}" font-weight="500" '
        f'text-anchor="middle">{escape(words)}</text>'
    )


def bargauge(panel: Json, series: list[Series], field: Field) -> str:
    if not series:
        return _nothing(field)
    defaults = panel["fieldConfig"]["defaults"]
    shown = sorted(series, key=lambda each: -each.last)
    top = max([each.last for each in shown] + [1e-9])
    high = min(28.0, (field.height - 10) / len(shown) - 4)
    names = min(field.width * 0.5, max(len(each.name) for each in shown) * 6.6 + 18)
    out = ""
    for index, each in enumerate(shown):
        y = 6 + index * (high + 4)
        colour = by_threshold(each.last, defaults["thresholds"]["steps"])
        room = field.width - names - 96
        middle = y + high / 2 + 4
        out += text(10, middle, each.name[: int(names / 6.2)], colour="#ccccdc", size=11.5)
        out += (
            f'<rect x="{names:.1f}" y="{y:.1f}" width="{room:.1f}" height="{high:.1f}" fill="rgba(204,204,220,0.06)"/>'
        )
        wide = max(1.5, room * each.last / top)
        out += rectangle(names, y, wide, high, colour, 0.35)
        out += rectangle(names + wide - 2, y, 2, high, colour, 1)
        out += text(
            field.width - 12, middle, written(each.last, defaults["unit"]), anchor="end", colour=colour, size=13
        )
    return out


def heatmap(panel: Json, series: list[Series], field: Field) -> str:
    if not series:
        return _nothing(field)
    unit = panel["fieldConfig"]["defaults"]["unit"]
    rows = sorted(series, key=lambda each: float(each.labels["le"]))
    cells: list[list[tuple[float, float]]] = []
    below: dict[float, float] = {}
    for bucket in rows:
        cells.append([(at, max(0.0, value - below.get(at, 0.0))) for at, value in bucket.points])
        below = dict(bucket.points)
    most = max((value for row in cells for _, value in row if math.isfinite(value)), default=0.0) or 1.0
    high = (field.height - _TOP - _BOTTOM) / len(rows)
    wide = (field.width - _LEFT) / max(len(row) for row in cells)
    out = list(_clock(field))
    every = 1 if high >= 13 else 2
    for index, (row, bucket) in enumerate(zip(cells, rows, strict=True)):
        y = field.height - _BOTTOM - (index + 1) * high
        if index % every == 0:
            bound = float(bucket.labels["le"])
            out.append(
                text(_LEFT - 8, y + high / 2 + 4, "+Inf" if math.isinf(bound) else written(bound, unit), anchor="end")
            )
        for at, value in row:
            if value > 1e-9:
                opacity = 0.12 + 0.88 * math.sqrt(value / most)
                x = field.x(at) - wide / 2
                out.append(rectangle(x, y + 0.5, max(1, wide - 0.4), high - 1, "#5794F2", opacity))
    return "".join(out)


def state_timeline(panel: Json, series: list[Series], field: Field) -> str:
    if not series:
        return _nothing(field)
    words = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
    names = min(field.width * 0.4, max(len(each.name) for each in series) * 6.4 + 20)
    narrow = Field(field.width - names + _LEFT, field.height, field.start, field.end)
    move = names - _LEFT
    out = [f'<g transform="translate({move:.1f} 0)">', *_clock(narrow), "</g>"]
    high = min(34.0, (field.height - _TOP - _BOTTOM) / len(series))
    for index, each in enumerate(series):
        y = _TOP + index * high
        out.append(text(names - 8, y + high / 2 + 4, each.name, anchor="end", colour="#ccccdc"))
        for begun, ended, value in _stretches(each.points):
            word = words.get(f"{value:g}")
            if word is None:
                continue
            x, wide = narrow.x(begun) + move, narrow.x(ended) - narrow.x(begun)
            out.append(rectangle(x, y + 2, max(1, wide), high - 4, word["color"], 0.75))
            if wide > len(word["text"]) * 7 + 8:
                out.append(text(x + 6, y + high / 2 + 4, word["text"], colour="#111217", size=11.5))
    return "".join(out)


def _stretches(points: list[tuple[float, float]]) -> Iterator[tuple[float, float, float]]:
    begun, before, last = math.nan, math.nan, math.nan
    for at, value in [*points, (math.nan, math.nan)]:
        if value != before:
            if math.isfinite(before):
                yield begun, at if math.isfinite(at) else last, before
            begun, before = at, value
        last = at if math.isfinite(at) else last


def _nothing(field: Field) -> str:
    return text(field.width / 2, field.height / 2 + 5, "No data", anchor="middle", size=14)
