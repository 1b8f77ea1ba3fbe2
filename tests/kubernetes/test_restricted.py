"""Every pod keeps to the Pod Security Standard `restricted`, which the namespace enforces, and to a little more.

The rules are those of https://kubernetes.io/docs/concepts/security/pod-security-standards/.
"""

import pytest

from tests.kubernetes.manifests import OVERLAYS, containers, named, overlay, pods, rendered

VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
each_overlay = pytest.mark.parametrize("name", OVERLAYS)


@each_overlay
def test_every_pod_is_restricted(name: str) -> None:
    for whose, template in pods(overlay(name)):
        spec = template["spec"]
        assert not [each for each in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace") if spec.get(each)]
        context = spec["securityContext"]
        assert context["runAsNonRoot"] is True, whose
        assert context["runAsUser"] > 0
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not context.keys() & {"sysctls", "seLinuxOptions", "windowsOptions", "appArmorProfile"}
        assert spec["automountServiceAccountToken"] is False
        assert all(volume.keys() - {"name"} <= VOLUMES for volume in spec["volumes"])


@each_overlay
def test_every_container_is_restricted(name: str) -> None:
    for whose, template in pods(overlay(name)):
        for container in containers(template):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }, whose
            assert not any("hostPort" in port for port in container.get("ports", []))


@each_overlay
def test_what_is_written_has_a_volume_with_a_limit(name: str) -> None:
    for whose, template in pods(overlay(name)):
        volumes = template["spec"]["volumes"]
        assert all("sizeLimit" in volume["emptyDir"] for volume in volumes if "emptyDir" in volume)
        for container in containers(template):
            mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
            assert {"/tmp", "/var/lib/colloquy"} <= mounts, whose  # noqa: S108 - in the container
            assert "memory" in container["resources"]["limits"]
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()


def test_the_namespace_enforces_it() -> None:
    labels = named(rendered("overlays/cpu"), "Namespace", "colloquy")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
