"""A dashboard: rows of panels side by side, its variables, and the links that every dashboard has."""

from dataclasses import dataclass

from infrastructure.observability.grafana.panels import SOURCE, Json, Panel, Query

COLUMNS = 24
TAG = "colloquy"


@dataclass(frozen=True, slots=True)
class Row:
    """Panels side by side, as wide as each other unless `widths` (of 24) say otherwise; a `title` starts a section."""

    panels: tuple[Panel, ...]
    height: int = 8
    widths: tuple[int, ...] = ()
    title: str = ""


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the top: the values that a label has, any number of them, all at first."""

    name: str
    query: str
    label: str

    def json(self) -> Json:
        """Return it as Grafana stores it."""
        return {
            "type": "query", "name": self.name, "label": self.label, "datasource": SOURCE,
            "definition": self.query, "query": {"qryType": 1, "query": self.query, "refId": "variable"},
            "refresh": 2, "regex": "", "sort": 1, "multi": True, "includeAll": True, "allValue": ".*",
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]}, "hide": 0, "options": [],
            "skipUrlSync": False,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard; `name` is its file and, after `colloquy-`, its uid."""

    name: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    alerts_shown: bool = True

    def json(self) -> Json:
        """Return it as Grafana stores it, ready to be provisioned."""
        return {
            "uid": f"{TAG}-{self.name}", "title": f"Colloquy / {self.title}", "description": self.description,
            "tags": [TAG], "schemaVersion": 39, "version": 1, "editable": False, "graphTooltip": 1,
            "timezone": "browser", "weekStart": "", "fiscalYearStartMonth": 0, "liveNow": False,
            "refresh": "30s", "time": {"from": "now-3h", "to": "now"},
            "timepicker": {"refresh_intervals": ["5s", "15s", "30s", "1m", "5m", "15m"]},
            "annotations": {"list": [_alerts_annotation()] if self.alerts_shown else []},
            "links": [_links()],
            "templating": {"list": [_source_variable(), *(variable.json() for variable in self.variables)]},
            "panels": self._placed(),
        }  # fmt: skip

    def _placed(self) -> list[Json]:
        placed: list[Json] = []
        top = 0
        for row in self.rows:
            if row.title:
                place = {"h": 1, "w": COLUMNS, "x": 0, "y": top}
                placed.append(
                    {"id": len(placed) + 1, "type": "row", "title": row.title, "gridPos": place,
                     "collapsed": False, "panels": []}
                )  # fmt: skip
                top += 1
            left = 0
            for panel, width in zip(row.panels, row.widths or _shared_out(len(row.panels)), strict=True):
                place = {"h": row.height, "w": width, "x": left, "y": top}
                placed.append(panel.json(len(placed) + 1, place))
                left += width
            top += row.height
        return placed


def by_instance(job: str = "colloquy-.+") -> Variable:
    """Return the choice of processes."""
    return Variable("instance", f'label_values(up{{job=~"{job}"}}, instance)', "Process")


def percentile(percent: int, metric: str, labels: str = "", by: str = "", over: str = "$__rate_interval") -> str:
    """Return the expression of a histogram's percentile, as Grafana's rate interval has it or `over` a time."""
    grouping = f"le, {by}" if by else "le"
    selected = f"{metric}_bucket{{{labels}}}" if labels else f"{metric}_bucket"
    return f"histogram_quantile({percent / 100:g}, sum by ({grouping}) (rate({selected}[{over}])))"


def percentiles(metric: str, labels: str = "") -> tuple[Query, ...]:
    """Return half, nearly all, and all but one in a hundred."""
    return tuple(Query(percentile(percent, metric, labels), f"p{percent}") for percent in (50, 95, 99))


def _shared_out(count: int) -> tuple[int, ...]:
    each, rest = divmod(COLUMNS, count)
    return tuple(each + (index < rest) for index in range(count))


def _source_variable() -> Json:
    return {
        "type": "datasource", "name": "datasource", "label": "Source", "query": "prometheus", "regex": "", "hide": 2,
        "current": {"selected": False, "text": "Prometheus", "value": "prometheus"}, "includeAll": False,
        "multi": False, "options": [], "refresh": 1, "skipUrlSync": False,
    }  # fmt: skip


def _links() -> Json:
    return {
        "type": "dashboards", "title": "Colloquy", "tags": [TAG], "asDropdown": False, "includeVars": False,
        "keepTime": True, "targetBlank": False, "icon": "external link", "tooltip": "", "url": "",
    }  # fmt: skip


def _alerts_annotation() -> Json:
    return {
        "name": "Alerts", "datasource": SOURCE, "enable": True, "hide": False, "iconColor": "#F2495C",
        "expr": 'ALERTS{alertname=~"Colloquy.+", alertstate="firing"}', "titleFormat": "{{alertname}}",
        "tagKeys": "severity", "step": "60s", "useValueForTime": False,
    }  # fmt: skip
