"""Every object is what Kubernetes, KEDA and Prometheus' operator take: no field misspelt, none missing."""

import importlib
import json
from functools import cache
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from tests.kubernetes.manifests import FOLDER, OVERLAYS, Object, kind, overlay, rendered, rules

RELEASES = ("1.27", "1.32", "1.37")
OURS = ("monitoring.coreos.com/v1", "keda.sh/v1alpha1")


@cache
def schema(what: str) -> dict[str, Any]:
    """The schema of a custom resource, as its project publishes it; no field is taken that it does not know."""
    family = "keda.v1alpha1" if what == "ScaledObject" else "prometheus_operator.v1"
    published = importlib.import_module(f"cloudcoil.models.{family}")  # which takes a second or two
    known: dict[str, Any] = getattr(published, what).model_json_schema(by_alias=True)
    for each in (known, *known["$defs"].values()):
        if "properties" in each:
            each.setdefault("additionalProperties", False)
    return known


def check(one: Object) -> None:
    _check(json.dumps(one, sort_keys=True))


@cache
def _check(text: str) -> None:
    """Check what most overlays have in common once."""
    one = json.loads(text)
    if one["apiVersion"] in OURS:
        jsonschema.Draft202012Validator(schema(one["kind"])).validate(one)
        return
    for release in RELEASES:
        kubernetes_validate.validate(one, release, strict=True)


@pytest.mark.timeout(90)  # what publishes the schemas takes three seconds to import, on an idle machine
@pytest.mark.parametrize("name", OVERLAYS)
def test_every_object_is_valid_in_old_and_new_releases(name: str) -> None:
    for one in overlay(name):
        check(one)


def test_the_alert_rules_are_valid_objects_of_prometheus_operator() -> None:
    found = rules()
    assert {one["metadata"]["name"] for one in found} >= {"colloquy-queue", "colloquy-api", "colloquy-engines"}
    for one in found:
        check(one)
        assert all(rule.keys() & {"alert", "record"} for group in one["spec"]["groups"] for rule in group["rules"])


def test_a_misspelt_field_is_found_in_either_kind() -> None:
    deployment = kind(rendered("overlays/keda"), "Deployment")[0]
    with pytest.raises(kubernetes_validate.ValidationError):
        check(deployment | {"spec": deployment["spec"] | {"replica": 1}})
    scaled = kind(rendered("overlays/keda"), "ScaledObject")[0]
    with pytest.raises(jsonschema.ValidationError):
        check(scaled | {"spec": scaled["spec"] | {"coolDownPeriod": 1}})


def test_no_object_is_there_twice_and_all_are_in_one_namespace() -> None:
    for name in OVERLAYS:
        objects = overlay(name)
        known = {(one["kind"], one["metadata"]["name"]) for one in objects}
        assert len(known) == len(objects)
        inside = {one["metadata"].get("namespace") for one in objects if one["kind"] != "Namespace"}
        assert inside == {"colloquy"}


def test_every_file_is_used_by_some_kustomization() -> None:
    listed = {
        (file.parent / path).resolve()
        for file in FOLDER.rglob("kustomization.yaml")
        for path in _paths(file.read_text(encoding="utf-8"))
    }
    files = {path for path in FOLDER.rglob("*") if path.suffix in {".yaml", ".env"} and path.stem != "kustomization"}
    assert files <= listed


def _paths(text: str) -> list[str]:
    import yaml  # noqa: PLC0415 - here alone

    said = yaml.safe_load(text)
    return [*said["resources"], *(path for each in said.get("configMapGenerator", []) for path in each.get("envs", []))]
