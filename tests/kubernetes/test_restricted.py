"""Every pod keeps to the Pod Security Standard `restricted`, which the namespace enforces, and to a little more.

The rules are those of https://kubernetes.io/docs/concepts/security/pod-security-standards/.
"""

import pytest

from tests.kubernetes.manifests import OVERLAYS, containers, named, overlay, pods, rendered

VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
TEMPLATES = [
    pytest.param(template, id=f"{name}-{whose}") for name in OVERLAYS for whose, template in pods(overlay(name))
]
Template = dict[str, dict[str, object]]


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_pod_is_restricted(template: dict[str, dict[str, dict[str, object]]]) -> None:
    spec = template["spec"]
    assert not [name for name in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace") if spec.get(name)]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert int(str(spec["securityContext"]["runAsUser"])) > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not spec["securityContext"].keys() & {"sysctls", "seLinuxOptions", "windowsOptions", "appArmorProfile"}
    assert spec["automountServiceAccountToken"] is False
    for volume in spec["volumes"]:
        assert isinstance(volume, dict)
        assert volume.keys() - {"name"} <= VOLUMES


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_container_is_restricted(template: dict[str, dict[str, object]]) -> None:
    for container in containers(template):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["readOnlyRootFilesystem"] is True
        assert context.keys() == {"allowPrivilegeEscalation", "capabilities", "readOnlyRootFilesystem"}
        assert not any("hostPort" in port for port in container.get("ports", []))


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_is_written_has_a_volume_with_a_limit(template: dict[str, dict[str, object]]) -> None:
    volumes = template["spec"]["volumes"]
    assert isinstance(volumes, list)
    assert all("sizeLimit" in volume["emptyDir"] for volume in volumes if "emptyDir" in volume)
    for container in containers(template):
        mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert {"/tmp", "/var/lib/colloquy"} <= mounts  # noqa: S108 - in the container
        assert "memory" in container["resources"]["limits"]
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()


def test_the_namespace_enforces_it() -> None:
    labels = named(rendered("overlays/cpu"), "Namespace", "colloquy")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
