"""What ships and keeps the log where there is Elasticsearch: its files agree with each other, and with what is said.

Neither Elasticsearch nor Filebeat runs here: what their documentation asks for is checked, and what we write of it.
"""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from infrastructure.logs.ecs import FIELDS, OWN, EcsLines
from infrastructure.settings import PROJECT

FOLDER = PROJECT / "infrastructure" / "observability"
ROOTS = ("application", "adapters", "entrypoints", "infrastructure")
SAYING = {"debug", "info", "warning", "error", "exception", "critical", "bind"}
ALWAYS = {"bound_contextvars", "bind_contextvars", "get_logger", "tell"}
OF_STRUCTLOG = {"exc_info"}
_FIELD = {
    "type": "object",
    "properties": {
        "type": {
            "enum": ["boolean", "constant_keyword", "date", "float", "ip", "keyword", "long", "match_only_text"]
        },
        "ignore_above": {"type": "integer", "minimum": 1},
        "value": {"type": "string"},
        "properties": {"type": "object", "additionalProperties": {"$ref": "#/$defs/field"}},
    },
    "oneOf": [{"required": ["type"]}, {"required": ["properties"]}],
    "additionalProperties": False,
}  # fmt: skip
TEMPLATE_SCHEMA = {
    "$defs": {"field": _FIELD},
    "type": "object",
    "required": ["index_patterns", "data_stream", "priority", "template"],
    "additionalProperties": False,
    "properties": {
        "index_patterns": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "data_stream": {"type": "object", "maxProperties": 0},
        "priority": {"type": "integer", "exclusiveMinimum": 100},  # Elasticsearch's own for logs-*-* is 100
        "_meta": {"type": "object"},
        "template": {
            "type": "object",
            "required": ["settings", "mappings"],
            "additionalProperties": False,
            "properties": {
                "settings": {"type": "object"},
                "mappings": {
                    "type": "object",
                    "properties": {
                        "dynamic": {"const": False},
                        "date_detection": {"type": "boolean"},
                        "properties": {"type": "object", "additionalProperties": {"$ref": "#/$defs/field"}},
                    },
                    "required": ["dynamic", "properties"],
                    "additionalProperties": False,
                },
            },
        },
    },
}
"""What `PUT /_index_template` takes, as far as ours goes."""
POLICY_SCHEMA = {
    "type": "object",
    "required": ["policy"],
    "properties": {
        "policy": {
            "type": "object",
            "required": ["phases"],
            "properties": {
                "phases": {
                    "type": "object",
                    "propertyNames": {"enum": ["hot", "warm", "cold", "frozen", "delete"]},
                    "additionalProperties": {
                        "type": "object",
                        "required": ["min_age", "actions"],
                        "properties": {"min_age": {"pattern": r"^\d+(ms|s|m|h|d)$"}, "actions": {"type": "object"}},
                    },
                }
            },
        }
    },
}
"""What `PUT /_ilm/policy` takes."""


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return dict(json.loads((FOLDER / "elasticsearch" / "index-template.json").read_text()))


@pytest.fixture(scope="module")
def policy() -> dict[str, Any]:
    return dict(json.loads((FOLDER / "elasticsearch" / "ilm-policy.json").read_text()))


@pytest.fixture(scope="module")
def filebeat() -> dict[str, Any]:
    return dict(yaml.safe_load((FOLDER / "filebeat" / "filebeat.yml").read_text()))


def mapped(properties: dict[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Each field's whole name and its type."""
    for name, field in properties.items():
        if "properties" in field:
            yield from mapped(field["properties"], f"{before}{name}.")
        else:
            yield before + name, field["type"]


def said() -> Iterator[tuple[str, str]]:
    """Each keyword that anything of ours is logged with, and where."""
    for path in (path for root in ROOTS for path in (PROJECT / root).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _says(node.func):
                yield from ((each.arg, f"{path.name}:{node.lineno}") for each in node.keywords if each.arg)


def _says(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id in ALWAYS
    if not isinstance(function, ast.Attribute):
        return False
    logger = "log" in ast.unparse(function.value).lower()
    return function.attr in ALWAYS or (function.attr in SAYING and logger)


def test_the_files_are_what_elasticsearch_takes(template: dict[str, Any], policy: dict[str, Any]) -> None:
    jsonschema.validate(template, TEMPLATE_SCHEMA)
    jsonschema.validate(policy, POLICY_SCHEMA)


def test_lines_are_kept_for_thirty_days(policy: dict[str, Any]) -> None:
    phases = policy["policy"]["phases"]
    assert phases["delete"]["min_age"] == "30d"
    assert phases["delete"]["actions"] == {"delete": {}}
    assert phases["hot"]["actions"]["rollover"]["max_age"] == "1d"  # a line is deleted with its index, at its latest


def test_filebeat_brings_the_template_and_the_policy_that_it_writes_under(
    template: dict[str, Any], filebeat: dict[str, Any]
) -> None:
    index = filebeat["output.elasticsearch"]["index"]
    (pattern,) = template["index_patterns"]
    assert index.startswith(pattern.removesuffix("*"))
    assert filebeat["setup.template"]["pattern"] == pattern
    assert filebeat["setup.template"]["name"] == filebeat["setup.template"]["json"]["name"] == index
    assert filebeat["setup.ilm"]["policy_name"] == template["template"]["settings"]["index.lifecycle.name"]
    for path in (filebeat["setup.ilm"]["policy_file"], filebeat["setup.template"]["json"]["path"]):
        assert (FOLDER / "elasticsearch" / Path(path).name).is_file()


def test_filebeat_renames_nothing_and_holds_no_secret(filebeat: dict[str, Any]) -> None:
    (processor,) = filebeat["processors"]
    (name,) = processor
    line = EcsLines(name="api", host="h", release="1", pid=1)({"event": "e"})
    assert name == "decode_json_fields"
    assert processor[name]["when.contains"]["message"] in line
    assert (processor[name]["target"], processor[name]["overwrite_keys"], processor[name]["expand_keys"]) == (
        "", True, True,
    )  # fmt: skip
    assert filebeat["output.elasticsearch"]["password"] == "${ELASTIC_PASSWORD}"  # noqa: S105 - there is none


def test_every_field_that_is_logged_is_mapped(template: dict[str, Any]) -> None:
    known = dict(mapped(template["template"]["mappings"]["properties"]))
    line = json.loads(EcsLines(name="api", host="h", release="1", pid=1)({"event": "e", "milliseconds": 1}))
    assert set(line) <= set(known)
    assert set(FIELDS.values()) <= set(known)
    fields = {name: where for name, where in said() if name not in OF_STRUCTLOG}
    assert len(fields) > 50
    missing = {
        name: where
        for name, where in fields.items()
        if name != "milliseconds" and (FIELDS.get(name) or OWN + name) not in known
    }
    assert missing == {}
