"""The manifests as `kubectl apply -k` sends them: rendered by kubectl's own kustomize, which asks no cluster."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "infrastructure" / "kubernetes"
OVERLAYS = ("cpu", "gpu", "keda")
Object = dict[str, Any]


def _kubectl() -> str:
    """Find the one that `make test` brought, or the machine's."""
    beside = Path(sys.executable).with_name("kubectl")
    if found := beside if beside.exists() else shutil.which("kubectl"):
        return str(found)
    raise RuntimeError("the tests render manifests with kubectl, 1.21 or newer: `make kubectl`")


@cache
def rendered(folder: str) -> list[Object]:
    """Every object of one kustomization."""
    done = subprocess.run([_kubectl(), "kustomize", str(FOLDER / folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, f"kustomize warns: {done.stderr}"
    return [*yaml.safe_load_all(done.stdout)]


@cache
def rules() -> list[Object]:
    """What `rules.sh` makes of the alert rules."""
    script = FOLDER / "monitoring" / "rules.sh"
    return [*yaml.safe_load_all(subprocess.run(["sh", script], capture_output=True, text=True, check=True).stdout)]


def overlay(name: str) -> list[Object]:
    """What an operator applies, the example of an ingress beside it."""
    return [*rendered(f"overlays/{name}"), *rendered("ingress")]


def kind(objects: list[Object], *kinds: str) -> list[Object]:
    """Those of some kinds."""
    return [one for one in objects if one["kind"] in kinds]


def named(objects: list[Object], what: str, name: str) -> Object:
    """The one of that kind and name."""
    return next(one for one in kind(objects, what) if one["metadata"]["name"] == name)


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Every template of a pod: whose it is, and the template."""
    for one in kind(objects, "Deployment", "Job"):
        yield one["metadata"]["name"], one["spec"]["template"]


def containers(template: Object) -> list[Object]:
    """All of a pod's."""
    return [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]


def settings(objects: list[Object], container: Object) -> dict[str, str]:
    """What the environment of a container says that is no secret."""
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        if "configMapRef" in source:
            found |= named(objects, "ConfigMap", source["configMapRef"]["name"])["data"]
    return found | {one["name"]: one["value"] for one in container.get("env", [])}


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a label selector chooses what has these labels."""
    operators = {"In": lambda value, values: value in values, "NotIn": lambda value, values: value not in values}
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        operators[rule["operator"]](labels.get(rule["key"]), rule["values"])
        for rule in selector.get("matchExpressions", [])
    )
