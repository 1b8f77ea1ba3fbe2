"""The panels of Grafana dashboards, as the JSON that Grafana stores since 11: one function for each kind in use.

What looks alike means the same: colours go by meaning (`COLOURS`), thresholds are those of the alerts, and every panel
has a description, which Grafana shows behind the panel's "i".
"""

import re
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

GREEN, BLUE, YELLOW, ORANGE, RED = "#73BF69", "#5794F2", "#FADE2A", "#FF9830", "#F2495C"
PURPLE, TEAL, GREY = "#B877D9", "#37B7C3", "#9AA0A6"
COLOURS: dict[str, dict[str, str]] = {
    "": {
        "p50": GREEN, "p95": ORANGE, "p99": RED, "waiting": YELLOW, "running": BLUE, "overdue": ORANGE, "failed": RED,
        "leases": TEAL, "deliveries": BLUE,
    },
    "class": {"2xx": GREEN, "3xx": BLUE, "4xx": ORANGE, "5xx": RED},
    "status": {"done": GREEN, "error": RED, "cancelled": GREY, "queued": YELLOW, "processing": BLUE},
    "state": {"busy": BLUE, "free": GREEN},
    "cause": {
        "worker_crashed": RED, "engine_hung": PURPLE, "out_of_memory": ORANGE, "lease_expired": TEAL,
        "crashed": RED, "died_idle": GREY, "hung": PURPLE, "device_error": YELLOW, "not_ready": ORANGE,
    },
    "outcome": {"delivered": GREEN, "failed": ORANGE, "given_up": RED},
    "process": {"parent": GREEN, "asr": BLUE, "diarization": PURPLE, "vad": TEAL},
    "stage": {
        "decode": YELLOW, "voice_activity": TEAL, "recognition": BLUE, "diarization": PURPLE, "attribution": GREEN,
        "second_look": ORANGE,
    },
}  # fmt: skip
"""What a label's values, or words of this program's own (""), look like on every panel of every dashboard."""
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Query:
    """One expression of a panel; `legend` names its series, with `{{label}}` for a label's value."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel without its place: the board gives it an id and a position.

    `steps` are values from which it has another colour, `most` is the top of its axis; `options`, `custom`, `defaults`
    (of its fields) and what stands `beside` them are Grafana's own.
    """

    kind: str
    title: str
    description: str
    queries: tuple[Query, ...]
    unit: str = "short"
    steps: tuple[tuple[float, str], ...] = ()
    options: Json = field(default_factory=dict)
    custom: Json = field(default_factory=dict)
    defaults: Json = field(default_factory=dict)
    beside: Json = field(default_factory=dict)
    format: str = "time_series"
    instant: bool = False
    most: float | None = None

    def json(self, number: int, place: Json) -> Json:
        """Return it as Grafana stores it, at this place."""
        defaults: Json = {
            "color": {"mode": "thresholds" if self.kind in {"stat", "bargauge"} else "palette-classic"},
            "custom": self.custom, "mappings": [], "unit": self.unit, "min": 0,
            "thresholds": {
                "mode": "absolute",
                "steps": [{"color": GREEN, "value": None}, *({"color": c, "value": v} for v, c in self.steps)],
            },
        }  # fmt: skip
        if self.most is not None:
            defaults["max"] = self.most
        defaults |= self.defaults
        return {
            "id": number, "type": self.kind, "title": self.title, "description": self.description, "gridPos": place,
            "datasource": SOURCE,
            "targets": [self._target(index, query) for index, query in enumerate(self.queries)],
            "fieldConfig": {"defaults": defaults, "overrides": self._overrides()},
            "options": self.options,
        } | self.beside  # fmt: skip

    def _target(self, index: int, query: Query) -> Json:
        return {
            "refId": "ABCDEFGH"[index], "datasource": SOURCE, "editorMode": "code", "expr": query.expr,
            "legendFormat": query.legend or "__auto", "format": self.format,
            "instant": self.instant, "range": not self.instant,
        }  # fmt: skip

    def _overrides(self) -> list[Json]:
        if self.kind != "timeseries":
            return []
        labels = {re.sub(r"^{{(\w+)}}.*", r"\1", query.legend) for query in self.queries if "{{" in query.legend}
        words = {word: colour for label in labels for word, colour in COLOURS.get(label, {}).items()}
        words |= {query.legend: COLOURS[""][query.legend] for query in self.queries if query.legend in COLOURS[""]}
        return [
            {
                "matcher": {"id": "byRegexp", "options": f"/^{word}( .*)?$/"},
                "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
            }
            for word, colour in sorted(words.items())
        ]


def stat(
    title: str, expr: str, description: str, *, unit: str = "short", steps: tuple[tuple[float, str], ...] = (),
    least_good: bool = False, whole: bool = False,
) -> Panel:  # fmt: skip
    """One number with its course behind it; `steps` are values from which it has another colour.

    With `least_good` small values are the bad ones: the steps then lead up to green, and below the first it is red.
    `whole` is for what can be counted: an increase over time is extrapolated, and says 4.09 where it was four.
    """
    defaults: Json = {"decimals": 0} if whole else {}
    if least_good:
        steps_json = [{"color": RED, "value": None}, *({"color": c, "value": v} for v, c in steps)]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps_json}
    return Panel(
        "stat", title, description, (Query(expr),), unit, steps,
        options={
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "orientation": "auto",
            "textMode": "value", "colorMode": "value", "graphMode": "area", "justifyMode": "auto", "wideLayout": True,
        },
        defaults=defaults,
    )  # fmt: skip


def course(
    title: str, description: str, *queries: Query, unit: str = "short", stacked: bool = False, bars: bool = False,
    limit: float | None = None, most: float | None = None,
) -> Panel:  # fmt: skip
    """Lines over time, areas upon each other (`stacked`) or bars; `limit` is drawn as a dashed red line."""
    custom = {
        "drawStyle": "bars" if bars else "line", "lineInterpolation": "linear", "lineWidth": 1 if stacked else 2,
        "fillOpacity": 70 if bars else 35 if stacked else 8, "gradientMode": "none", "showPoints": "never",
        "pointSize": 5, "spanNulls": False, "axisPlacement": "auto", "axisLabel": "", "axisBorderShow": False,
        "scaleDistribution": {"type": "linear"}, "barAlignment": 0,
        "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
        "thresholdsStyle": {"mode": "off" if limit is None else "dashed"},
    }  # fmt: skip
    return Panel(
        "timeseries", title, description, queries, unit, () if limit is None else ((limit, RED),),
        options={
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        custom=custom, most=most,
    )  # fmt: skip


def heatmap(title: str, description: str, expr: str, *, unit: str) -> Panel:
    """How a histogram's buckets fill over time; `expr` is a rate by `le`."""
    return Panel(
        "heatmap", title, description, (Query(expr, "{{le}}"),), unit, format="heatmap",
        options={
            "calculate": False, "cellGap": 1, "cellValues": {"unit": "short"},
            "color": {
                "mode": "scheme", "scheme": "Blues", "fill": BLUE, "steps": 64, "exponent": 0.5, "reverse": False,
                "scale": "exponential",
            },
            "exemplars": {"color": "rgba(255,0,255,0.7)"}, "filterValues": {"le": 1e-9},
            "legend": {"show": False}, "rowsFrame": {"layout": "auto"}, "showValue": "never",
            "tooltip": {"mode": "single", "yHistogram": False, "showColorScale": False},
            "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
        },
        custom={"hideFrom": {"legend": False, "tooltip": False, "viz": False}, "scaleDistribution": {"type": "linear"}},
    )  # fmt: skip


def bars(
    title: str, description: str, expr: str, legend: str, *, unit: str, steps: tuple[tuple[float, str], ...] = ()
) -> Panel:
    """What is largest now, a bar each."""
    return Panel(
        "bargauge", title, description, (Query(expr, legend),), unit, steps, instant=True,
        options={
            "displayMode": "basic", "orientation": "horizontal", "showUnfilled": True, "valueMode": "color",
            "minVizHeight": 12, "minVizWidth": 8, "maxVizHeight": 28, "sizing": "auto", "namePlacement": "left",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "legend": {"showLegend": False, "displayMode": "list", "placement": "bottom", "calcs": []},
        },
    )  # fmt: skip


def states(title: str, description: str, expr: str, legend: str, names: dict[str, tuple[str, str]]) -> Panel:
    """A band each that changes its colour with the value; `names` gives each value its word and colour."""
    mapping = {
        value: {"text": text, "color": colour, "index": index}
        for index, (value, (text, colour)) in enumerate(names.items())
    }
    return Panel(
        "state-timeline", title, description, (Query(expr, legend),),
        options={
            "mergeValues": True, "showValue": "auto", "alignValue": "left", "rowHeight": 0.85,
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "single", "sort": "none"},
        },
        custom={"fillOpacity": 75, "lineWidth": 0},
        defaults={"mappings": [{"type": "value", "options": mapping}]},
    )  # fmt: skip


def table(title: str, description: str, expr: str, columns: dict[str, str]) -> Panel:
    """Labels of what the expression finds now; `columns` gives each label in use its heading, in order."""
    return Panel(
        "table", title, description, (Query(expr),), format="table", instant=True,
        options={"showHeader": True, "cellHeight": "sm", "footer": {"show": False, "reducer": ["sum"], "fields": []}},
        custom={"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False, "filterable": False},
        beside={"transformations": [
            {"id": "filterFieldsByName", "options": {"include": {"names": list(columns)}}},
            {"id": "organize", "options": {
                "excludeByName": {}, "renameByName": columns,
                "indexByName": {name: index for index, name in enumerate(columns)},
            }},
        ]},
    )  # fmt: skip


def text(title: str, markdown: str) -> Panel:
    """Words, as Markdown."""
    return Panel(
        "text", title, "", (),
        options={
            "mode": "markdown", "content": markdown,
            "code": {"language": "plaintext", "showLineNumbers": False, "showMiniMap": False},
        },
    )  # fmt: skip
