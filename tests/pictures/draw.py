"""Draws the committed dashboards with what a Prometheus knows: the same panels, queries, units, colours and places.

It is not Grafana: what Grafana stores is read, and drawn as SVG in a page, of which Chromium takes the picture.
"""

import json
import math
import re
import subprocess
import tempfile
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from tests.pictures import svg
from tests.pictures.palette import shrink
from tests.pictures.svg import Field, Series
from tests.servers.prometheus import Prometheus, program

WIDTH = 1560
_ROW, _GAP = 38, 8
_STYLE = """
body{margin:0;background:#111217;font-family:Inter,"DejaVu Sans",Roboto,Helvetica,Arial,sans-serif;color:#ccccdc}
header{height:52px;padding:0 16px;display:flex;align-items:center;font-size:18px;font-weight:500}
header small{margin-left:auto;color:#8e9097;font-size:12px;font-weight:400}
.panel{position:absolute;background:#181b1f;border:1px solid rgba(204,204,220,.12);border-radius:3px;overflow:hidden;
box-sizing:border-box}
.panel h2{font-size:13px;font-weight:500;margin:7px 10px 2px}.section{position:absolute;font-size:14px;font-weight:500;
padding:8px 4px}.legend{font-size:11px;color:#ccccdc;padding:0 10px;overflow:hidden}
.legend i{display:inline-block;width:14px;height:4px;border-radius:2px;margin:0 5px 2px 0}
.legend span{display:inline-block;margin-right:14px;line-height:16px}
table{border-collapse:collapse;width:100%;font-size:12px}th{color:#6e9fff;text-align:left;font-weight:500}
th,td{padding:6px 10px;border-bottom:1px solid rgba(204,204,220,.09)}
"""
_Drawer = Callable[[dict[str, Any], list[Series], Field], str]
_DRAWERS: dict[str, _Drawer] = {
    "timeseries": svg.timeseries, "stat": svg.stat, "bargauge": svg.bargauge, "heatmap": svg.heatmap,
    "state-timeline": svg.state_timeline,
}  # fmt: skip


class Window:
    """From when to when, in seconds since 1970, and how often Prometheus scraped."""

    def __init__(self, prometheus: Prometheus, *, start: float, end: float, scrape: float) -> None:
        self.prometheus = prometheus
        self.start, self.end, self.scrape = start, end, scrape
        self.step = max(scrape, (end - start) / 240)

    def ask(self, panel: dict[str, Any]) -> list[Series]:
        """Return what the panel's queries find, with gaps where nothing was found."""
        found = []
        for target in panel["targets"]:
            # As Grafana has it: four scrapes at least, so that a rate never sees fewer than two.
            interval = f"{max(self.step + self.scrape, 4 * self.scrape):.0f}s"
            expression = re.sub(r"\$__rate_interval", interval, target["expr"])
            expression = re.sub(r"\$(instance|engine)\b", ".*", expression)
            if target["instant"]:
                found += [(each["metric"], [each["value"]], target) for each in self.prometheus.query(expression)]
            else:
                courses = self.prometheus.course(expression, start=self.start, end=self.end, step=self.step)
                found += [(each["metric"], each["values"], target) for each in courses]
        return [
            Series(_legend(target["legendFormat"], metric), metric, self._gaps(values))
            for metric, values, target in sorted(found, key=lambda each: str(sorted(each[0].items())))
        ]

    def _gaps(self, values: list[Any]) -> list[tuple[float, float]]:
        points = [(float(at), float(value)) for at, value in values]
        if len(points) < 2:
            return points
        known = dict(points)
        count = round((self.end - self.start) / self.step)
        return [(at, known.get(at, math.nan)) for at in _steps(self.start, self.step, count, known)]


def _steps(start: float, step: float, count: int, known: dict[float, float]) -> list[float]:
    """Return the moments that were asked for, in Prometheus' own rounding where it answered."""
    nearby = {round((at - start) / step): at for at in known}
    return [nearby.get(index, start + index * step) for index in range(count + 1)]


def _legend(pattern: str, labels: dict[str, str]) -> str:
    if pattern == "__auto":
        return labels.get("__name__", "value")
    return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), pattern)


def _place(position: dict[str, int]) -> tuple[float, float, float, float]:
    column = (WIDTH - 2 * _GAP) / 24
    left, top = _GAP + position["x"] * column, 52 + position["y"] * _ROW
    return left, top, position["w"] * column - _GAP, position["h"] * _ROW - _GAP


def _panel(panel: dict[str, Any], window: Window) -> str:
    left, top, width, height = _place(panel["gridPos"])
    box = f"left:{left:.0f}px;top:{top:.0f}px;width:{width:.0f}px;height:{height:.0f}px"
    if panel["type"] == "row":
        return f'<div class="section" style="{box}">▾ {escape(panel["title"])}</div>'
    series = window.ask(panel)
    inside, legend = "", ""
    if panel["type"] == "table":
        inside = _table(panel, series)
    else:
        legend = _legend_of(panel, series) if panel["type"] == "timeseries" else ""
        # Names stand in as many lines as they need, five pixels and a half a letter.
        lines = math.ceil(sum(34 + 5.8 * len(each.name) for each in series) / (width - 20)) if legend else 0
        field = Field(width - 2, height - 30 - 17 * lines, window.start, window.end)
        drawn = _DRAWERS[panel["type"]](panel, series, field)
        if panel["type"] == "timeseries" and not series:
            drawn += svg.text(field.width / 2, field.height / 2, "No data", anchor="middle", size=14)
        inside = f'<svg width="{field.width:.0f}" height="{field.height:.0f}" style="display:block">{drawn}</svg>'
    return f'<div class="panel" style="{box}"><h2>{escape(panel["title"])}</h2>{inside}{legend}</div>'


def _legend_of(panel: dict[str, Any], series: list[Series]) -> str:
    names = "".join(
        f'<span><i style="background:{colour}"></i>{escape(each.name)}</span>'
        for each, colour in zip(series, svg.colours(panel, series), strict=True)
    )
    return f'<div class="legend">{names}</div>' if names else ""


def _table(panel: dict[str, Any], series: list[Series]) -> str:
    columns = panel["transformations"][1]["options"]["renameByName"]
    there = [name for name in columns if any(name in each.labels for each in series)]
    head = "".join(f"<th>{escape(columns[name])}</th>" for name in there)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(each.labels.get(name, ''))}</td>" for name in there) + "</tr>" for each in series
    )
    return f"<table><tr>{head}</tr>{rows}</table>" if rows else '<p style="text-align:center">No data</p>'


def page(dashboard: dict[str, Any], window: Window, note: str) -> tuple[str, int]:
    """Return the dashboard as a page, and its height in pixels."""
    panels = dashboard["panels"]
    height = 52 + max(each["gridPos"]["y"] + each["gridPos"]["h"] for each in panels) * _ROW + _GAP
    body = "".join(_panel(each, window) for each in panels)
    title = f"<header>{escape(dashboard['title'])}<small>{escape(note)}</small></header>"
    return f'<!doctype html><meta charset="utf-8"><style>{_STYLE}</style>{title}{body}', height


def photograph(html: str, height: int, to: Path) -> None:
    """Let Chromium take the page's picture."""
    with tempfile.TemporaryDirectory(prefix="colloquy-page-") as folder:
        (Path(folder) / "page.html").write_text(html)
        command = [
            program("chromium", "chromium-browser", "google-chrome"), "--headless", "--no-sandbox", "--disable-gpu",
            "--hide-scrollbars", f"--user-data-dir={folder}/profile", f"--window-size={WIDTH},{height}",
            f"--screenshot={to}", f"file://{folder}/page.html",
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=60)


def draw(dashboards: Path, window: Window, folder: Path, note: str) -> list[str]:
    """Draw all dashboards that have numbers into the folder; return the panels that found nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    empty = []
    for file in sorted(dashboards.glob("*.json")):
        dashboard = json.loads(file.read_text())
        if all(panel["type"] == "text" for panel in dashboard["panels"]):
            continue
        html, height = page(dashboard, window, note)
        photograph(html, height, folder / f"{file.stem}.png")
        shrink(folder / f"{file.stem}.png")
        empty += [
            f"{file.stem}: {panel['title']}"
            for panel in dashboard["panels"]
            if panel["type"] != "row" and not window.ask(panel)
        ]
    return empty
