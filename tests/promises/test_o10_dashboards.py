"""O-10: the dashboards are what the code makes, and ask for numbers that exist, in words that Prometheus reads."""

import json
import re
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from infrastructure.observability.grafana.dashboards import FOLDER, files
from tests.infrastructure.promql import labels_of, names_of
from tests.promises.test_o10_alerts import ADDED, FOREIGN, RECORDED, shown
from tests.servers.prometheus import program

DASHBOARDS: dict[str, dict[str, Any]] = {
    file.stem: json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))
}
NAMES = sorted(DASHBOARDS)
SERIES = shown() | FOREIGN | {
    "process_cpu_seconds_total": set(), "process_resident_memory_bytes": set(),
    "ALERTS": {"alertname", "alertstate", "severity"},
}  # fmt: skip
KINDS = {"row", "stat", "timeseries", "heatmap", "bargauge", "state-timeline", "table", "text"}


def panels(name: str) -> list[dict[str, Any]]:
    return list(DASHBOARDS[name]["panels"])


def expressions(name: str) -> list[str]:
    """Every query of a dashboard's panels and notes, as Grafana sends it."""
    asked = [target["expr"] for panel in panels(name) for target in panel.get("targets", [])]
    asked += [note["expr"] for note in DASHBOARDS[name]["annotations"]["list"]]
    return [re.sub(r"\$(instance|engine)\b", ".*", each.replace("$__rate_interval", "1m")) for each in asked]


def test_o10_committed_dashboards_are_what_the_code_makes() -> None:
    committed = {file.name: file.read_text() for file in FOLDER.glob("*.json")}
    assert committed == files(), "run: python -m infrastructure.observability.grafana.dashboards"
    assert set(DASHBOARDS) == {"api", "queue", "engines", "resources", "errors", "runbook"}


@pytest.mark.parametrize("name", NAMES)
def test_o10_panels_have_their_own_places(name: str) -> None:
    assert len({panel["id"] for panel in panels(name)}) == len(panels(name))
    for panel in panels(name):
        place = panel["gridPos"]
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= 24
        assert panel["type"] in KINDS
        assert panel["title"]
        assert panel["type"] in {"row", "text"} or panel["description"].endswith("."), panel["title"]
    for one, other in combinations([panel["gridPos"] for panel in panels(name)], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, f"{one} covers {other}"


@pytest.mark.parametrize("name", NAMES)
def test_o10_dashboards_ask_for_numbers_that_exist(name: str) -> None:
    for expression in expressions(name):
        for asked in names_of(expression):
            assert asked in RECORDED if ":" in asked else asked in SERIES, f"{asked} in {expression}"
        for asked, labels in labels_of(expression):
            assert labels <= SERIES[asked] | ADDED, f"{asked} has no {labels - SERIES[asked]}"


@pytest.mark.parametrize("name", NAMES)
def test_o10_legends_and_columns_are_labels_that_are_there(name: str) -> None:
    for panel in panels(name):
        for target in panel.get("targets", []):
            known = set().union(*(SERIES[asked] for asked in names_of(target["expr"])), ADDED, {"class"})
            wanted = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            grouped = re.findall(r"\bby \(([^)]*)\)", target["expr"])
            assert wanted <= known, panel["title"]
            assert {label.strip() for group in grouped for label in group.split(",")} <= known, panel["title"]
            assert not grouped or wanted <= {label.strip() for label in grouped[0].split(",")}, panel["title"]


def test_o10_prometheus_reads_every_query(tmp_path: Path) -> None:
    asked = sorted({each for name in NAMES for each in expressions(name)})
    assert len(asked) > 60
    rules = [{"record": f"query:{number}", "expr": each} for number, each in enumerate(asked)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    done = subprocess.run([program("promtool"), "check", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_o10_what_provisions_them_names_the_same_things() -> None:
    grafana = FOLDER.parent / "provisioning"
    [source] = yaml.safe_load((grafana / "datasources" / "prometheus.yml").read_text())["datasources"]
    [provider] = yaml.safe_load((grafana / "dashboards" / "colloquy.yml").read_text())["providers"]
    assert provider["options"]["path"] == "/etc/grafana/dashboards"
    assert {dashboard["uid"] for dashboard in DASHBOARDS.values()} == {f"colloquy-{name}" for name in NAMES}
    for dashboard in DASHBOARDS.values():
        [choice] = [each for each in dashboard["templating"]["list"] if each["name"] == "datasource"]
        assert choice["current"]["value"] == source["uid"]
        known = {f"${{{each['name']}}}" for each in dashboard["templating"]["list"]}
        assert {panel["datasource"]["uid"] for panel in dashboard["panels"] if "datasource" in panel} <= known
        used = set(re.findall(r"\$([a-z]+)\b", json.dumps([panel.get("targets") for panel in dashboard["panels"]])))
        assert used <= {each["name"] for each in dashboard["templating"]["list"]}
        assert [link["tags"] for link in dashboard["links"]] == [["colloquy"]]
