"""O-10: each alert fires under its fault and clears after it, and the runbook says what to do.

`tests/infrastructure/alerts` holds the faults, as promtool reads them; here it is run, and held against the rules: none
without a fault, none without a heading, none about a number that the service does not show.
"""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.observability.catalogue import CATALOGUE
from tests.infrastructure.promql import labels_of, names_of
from tests.servers.prometheus import program

HERE = Path(__file__).resolve().parents[2]
SHIPPED = HERE / "infrastructure" / "observability"
FAULTS = HERE / "tests" / "infrastructure" / "alerts"
FOREIGN = {
    "up": set(), "process_start_time_seconds": set(), "process_open_fds": set(), "process_max_fds": set(),
    "alertmanager_notifications_failed_total": {"integration"},
    "prometheus_rule_evaluation_failures_total": {"rule_group"},
}  # fmt: skip
"""Numbers of Prometheus' own client and programs; `test_o10_end_to_end` scrapes them."""
ADDED = {"instance", "job"}
"""Labels that Prometheus adds."""


def groups() -> list[dict[str, Any]]:
    files = sorted((SHIPPED / "prometheus" / "rules").glob("*.yml"))
    return [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]


RULES = [rule for group in groups() for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}


def shown() -> dict[str, set[str]]:
    """Every number that the service shows, as it is scraped, and its labels."""
    series: dict[str, set[str]] = {}
    for each in CATALOGUE:
        if each.kind == "histogram":
            series |= {f"{each.full}_bucket": {*each.labels, "le"}}
            series |= {f"{each.full}_{part}": set(each.labels) for part in ("sum", "count")}
        else:
            series[each.full] = set(each.labels)
    return series


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_o10_what_is_shipped_is_valid() -> None:
    configuration = run(program("promtool"), "check", "config", str(SHIPPED / "prometheus" / "prometheus.yml"))
    assert configuration.count("SUCCESS") == 7, "the file, its list of rules, and five files of rules"
    for file in (SHIPPED / "alertmanager").glob("*.yml"):
        assert "SUCCESS" in run(program("amtool"), "check-config", str(file))
        for severity, receiver in (("critical", "at-once"), ("warning", "somebody")):
            routed = run(program("amtool"), "config", "routes", "test", f"--config.file={file}", f"severity={severity}")
            assert routed.strip() == receiver


def test_o10_as_shipped_nobody_outside_is_told() -> None:
    shipped = yaml.safe_load((SHIPPED / "alertmanager" / "alertmanager.yml").read_text())
    assert all(set(receiver) == {"name"} for receiver in shipped["receivers"])


@pytest.mark.timeout(180)
def test_o10_each_alert_fires_under_its_fault_and_clears() -> None:
    run(program("promtool"), "test", "rules", *map(str, sorted(FAULTS.glob("*.yml"))))


def test_o10_no_alert_is_left_without_a_fault() -> None:
    faults = [test for file in FAULTS.glob("*.yml") for test in yaml.safe_load(file.read_text())["tests"]]
    for name in ALERTS:
        own = next((test for test in faults if test["name"] == name), None)
        assert own is not None, f"{name} has no fault of its own"
        found = [bool(look["exp_alerts"]) for look in own["alert_rule_test"] if look["alertname"] == name]
        assert (found[0], True in found, found[-1]) == (False, True, False), f"{name}: quiet, fired, quiet"
        [health] = [test for test in faults if test["name"] == "health"]
        assert any(look["alertname"] == name and not look["exp_alerts"] for look in health["alert_rule_test"]), name


def test_o10_each_alert_says_what_it_means_and_where_to_read_on() -> None:
    runbook = (SHIPPED / "RUNBOOK.md").read_text()
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", runbook, flags=re.MULTILINE | re.DOTALL))
    assert set(sections) == set(ALERTS), "a heading for each alert, and no other"
    for name, rule in ALERTS.items():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
        path, heading = rule["annotations"]["runbook_url"].split("#")
        assert (HERE / path).samefile(SHIPPED / "RUNBOOK.md")
        assert heading == name.lower()
        for part in ("**Means:**", "**Look:**", "**Do:**"):
            assert part in sections[name], f"{name} lacks {part}"


def test_o10_rules_ask_for_numbers_that_exist() -> None:
    series = shown() | FOREIGN
    for rule in RULES:
        for name in names_of(rule["expr"]):
            assert name in RECORDED if ":" in name else name in series, f"{name} in {rule['expr']}"
        for name, labels in labels_of(rule["expr"]):
            if ":" not in name:
                assert labels <= series[name] | ADDED, f"{name} has no {labels - series[name]}"


def test_o10_alerts_are_called_by_names_that_they_have() -> None:
    texts = [file for pattern in ("**/*.yml", "**/*.json", "RUNBOOK.md") for file in SHIPPED.glob(pattern)]
    assert len(texts) > 12
    for file in texts:
        called = set(re.findall(r"\bColloquy[A-Z]\w+", file.read_text()))
        assert called <= set(ALERTS), f"{file.name}: {called - set(ALERTS)}"


def test_o10_the_runbook_asks_for_numbers_that_exist() -> None:
    words = set(re.findall(r"\bcolloquy_\w+", (SHIPPED / "RUNBOOK.md").read_text()))
    assert len(words) > 5
    assert words <= set(shown())
