"""What the manifests say of the service is true of it, settings, ports, paths and seconds; and they fit together."""

import base64
import re
import secrets
import tomllib
from ipaddress import ip_address, ip_network

import pytest

import adapters.hosting.process as hosting_process
from adapters.observability.catalogue import CATALOGUE
from application import hold
from domain.media import SAMPLE_RATE
from entrypoints import couriers
from entrypoints.http import ending, health, server
from infrastructure.egress import egress_policy
from infrastructure.load_settings import load_settings
from infrastructure.settings import Settings
from tests.kubernetes.manifests import (
    FOLDER,
    OVERLAYS,
    ROOT,
    Object,
    containers,
    kind,
    named,
    overlay,
    pods,
    rendered,
    selects,
    settings,
)

UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 10**3, "M": 10**6, "G": 10**9, "m": 0.001, "": 1}
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
each_overlay = pytest.mark.parametrize("name", OVERLAYS)


def amount(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)([A-Za-z]*)", str(text)).groups()  # type: ignore[union-attr]
    return float(number) * UNITS[unit]


def given() -> dict[str, str]:
    """What the secret holds, by the README's command."""
    return {
        "INSTALLATION_SECRET": base64.b64encode(secrets.token_bytes(32)).decode(),
        "DATABASE_URL": f"postgresql+psycopg://colloquy:{secrets.token_hex(16)}@db.stores.svc:5432/colloquy",
        "QUEUE_URL": f"redis://:{secrets.token_hex(16)}@redis.stores.svc:6379/0",
        "S3_ACCESS_KEY": secrets.token_hex(10),
        "S3_SECRET_KEY": secrets.token_hex(20),
    }


def loaded(objects: list[Object], container: Object) -> Settings:
    """The settings with which the container's process starts; a wrong name or value raises."""
    return load_settings(settings(objects, container) | given())


@each_overlay
def test_the_processes_would_start_with_these_settings(name: str) -> None:
    from infrastructure.load_settings import variables  # noqa: PLC0415 - here alone

    known = {variable.name for variable in variables()}
    objects = overlay(name)
    for _, template in pods(objects):
        for container in containers(template):
            assert settings(objects, container).keys() <= known
            own = loaded(objects, container)
            mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
            assert own.data_dir in mounts
            if container["name"] == "worker":
                assert own.models.dir in mounts
                assert own.worker.device_class in own.worker.device_classes.split(",")


def test_the_readme_names_every_secret() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"--from-literal={name}=" in readme for name in given())


@each_overlay
def test_secrets_come_from_one_secret_and_none_is_written_here(name: str) -> None:
    objects = overlay(name)
    assert not kind(objects, "Secret")
    from_secrets = {
        source["secretRef"]["name"]
        for _, template in pods(objects)
        for container in containers(template)
        for source in container.get("envFrom", [])
        if "secretRef" in source
    }
    assert from_secrets == {"colloquy-secrets"}
    assert not [one for one in kind(objects, "ConfigMap") if one["data"].keys() & given().keys()]


@each_overlay
def test_selectors_choose_what_they_mean(name: str) -> None:
    objects = overlay(name)
    deployments = kind(objects, "Deployment")
    labels = {one["metadata"]["name"]: one["spec"]["template"]["metadata"]["labels"] for one in deployments}
    for one in deployments:
        chosen = [whose for whose, own in labels.items() if selects(one["spec"]["selector"], own)]
        assert chosen == [one["metadata"]["name"]]
    for one in kind(objects, "PodDisruptionBudget"):
        chosen = [whose for whose, own in labels.items() if selects(one["spec"]["selector"], own)]
        assert chosen == [one["metadata"]["name"]]
    assert {one["metadata"]["name"] for one in kind(objects, "PodDisruptionBudget")} == labels.keys()
    for one in kind(objects, "Service"):
        chosen = [whose for whose, own in labels.items() if selects({"matchLabels": one["spec"]["selector"]}, own)]
        assert chosen == [one["metadata"]["name"]]
    for one in deployments:
        own = one["spec"]["template"]
        for rule in own["spec"]["topologySpreadConstraints"]:
            assert selects(rule["labelSelector"], own["metadata"]["labels"])
    for one in kind(objects, "HorizontalPodAutoscaler", "ScaledObject"):
        target = named(objects, "Deployment", one["spec"]["scaleTargetRef"]["name"])
        assert "replicas" not in target["spec"], "apply would undo what the autoscaler did"


@each_overlay
def test_probes_and_services_use_ports_and_paths_that_there_are(name: str) -> None:
    objects = overlay(name)
    paths = {path for route in (health.get_liveness, health.get_readiness) for path in route.paths}
    for whose, template in pods(objects):
        for container in containers(template):
            own = loaded(objects, container)
            ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
            assert ports.get("metrics", own.metrics.port) == own.metrics.port
            assert ports.get("http", own.api.port) == own.api.port
            probes = [container.get(f"{which}Probe") for which in ("startup", "liveness", "readiness")]
            assert all(probes) or whose.startswith(("colloquy-migrate", "colloquy-models")), whose
            for probe in filter(None, probes):
                if "httpGet" in probe:
                    assert probe["httpGet"]["path"] in paths
                    assert probe["httpGet"]["port"] in ports
                else:
                    assert probe["exec"]["command"][:2] == ["colloquy", "health"]
                    assert probe["timeoutSeconds"] >= 5
    names = {
        port["name"] for _, template in pods(objects) for each in containers(template) for port in each.get("ports", [])
    }
    for service in kind(objects, "Service"):
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= names
    for monitor in kind(objects, "PodMonitor"):
        assert {end["port"] for end in monitor["spec"]["podMetricsEndpoints"]} <= names
        scraped = {
            whose for whose, own in pods(objects) if selects(monitor["spec"]["selector"], own["metadata"]["labels"])
        }
        assert scraped == {one["metadata"]["name"] for one in kind(objects, "Deployment")}


@each_overlay
def test_every_process_runs_a_command_that_there_is(name: str) -> None:
    from typer.main import get_command  # noqa: PLC0415 - here alone

    from entrypoints.cli.main import app  # noqa: PLC0415 - here alone

    known = get_command(app).commands.keys()  # type: ignore[attr-defined]
    objects = overlay(name)
    commands = {container["args"][0] for _, template in pods(objects) for container in containers(template)}
    assert commands <= known
    assert {"serve", "worker", "sweeper", "migrate"} <= commands
    assert "health" in known


@each_overlay
def test_images_are_pinned_to_this_release(name: str) -> None:
    for whose, template in pods(overlay(name)):
        for container in containers(template):
            assert container["image"].endswith(f":{VERSION}"), whose
            assert "/" in container["image"]
    jobs = [one["metadata"]["name"] for one in kind(overlay(name), "Job")]
    assert f"colloquy-migrate-{VERSION.replace('.', '-')}" in jobs


@each_overlay
def test_the_images_are_those_of_the_containerfile_and_run_as_its_user(name: str) -> None:
    made = (ROOT / "Containerfile").read_text(encoding="utf-8")
    targets = re.findall(r"^FROM .+ AS (api|worker-\w+)$", made, re.MULTILINE)
    users = {*re.findall(r"^USER (\S+)$", made, re.MULTILINE)}
    assert [*re.findall(r"^ENTRYPOINT (.+)$", made, re.MULTILINE)] == ['["colloquy"]'] * len(targets)
    for whose, template in pods(overlay(name)):
        context = template["spec"]["securityContext"]
        assert {f"{context['runAsUser']}:{context['runAsGroup']}"} == users, whose
        for container in containers(template):
            assert container["image"].rpartition("/")[2].partition(":")[0] in targets
            assert "command" not in container, "the image's own is the program"


@each_overlay
def test_nobody_is_killed_while_it_still_does_what_it_promised(name: str) -> None:
    objects = overlay(name)
    for whose, template in pods(objects):
        if whose.startswith("colloquy-models"):
            continue
        own, grace = loaded(objects, containers(template)[0]), template["spec"]["terminationGracePeriodSeconds"]
        if whose == "colloquy-api":
            settling = ending._HANDSHAKE_SECONDS + 2 * ending._SETTLE_SECONDS
            assert grace >= own.api.drain_seconds + settling + server.SHUTDOWN_SECONDS + 5
        elif "worker" in whose:
            children = hosting_process.LEAVE_SECONDS * 2 + hosting_process._REAP_SECONDS
            assert grace >= hold._SHUTDOWN_SECONDS + couriers._STOP_SECONDS + 3 * children + 5
        else:
            assert grace >= 10


@each_overlay
def test_the_disk_of_a_worker_holds_all_tasks_in_flight(name: str) -> None:
    objects = overlay(name)
    for whose, template in pods(objects):
        if "worker" not in whose:
            continue
        container = containers(template)[0]
        own = loaded(objects, container)
        decoded = own.max.duration * SAMPLE_RATE * 2 * 3  # the mix, and both channels
        room = next(volume for volume in template["spec"]["volumes"] if volume["name"] == "data")["emptyDir"][
            "sizeLimit"
        ]
        assert amount(room) >= own.max.workers * (decoded + own.max.file_size)
        volumes = sum(
            amount(volume["emptyDir"]["sizeLimit"]) for volume in template["spec"]["volumes"] if "emptyDir" in volume
        )
        assert amount(container["resources"]["limits"]["ephemeral-storage"]) >= volumes
        threads = own.asr.threads + own.diarization.threads
        assert threads <= amount(container["resources"]["requests"]["cpu"])
        assert own.diarization.threads > 0


@each_overlay
def test_every_pod_is_closed_but_for_what_it_needs(name: str) -> None:
    objects = overlay(name)
    policies = kind(objects, "NetworkPolicy")
    nothing = named(objects, "NetworkPolicy", "nothing")["spec"]
    assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}

    def allowed(labels: dict[str, str]) -> set[str]:
        return {one["metadata"]["name"] for one in policies if selects(one["spec"]["podSelector"], labels)} - {
            "nothing"
        }

    for whose, template in pods(objects):
        expected = {"names", "stores"}
        if whose == "colloquy-api":
            expected |= {"api-from-ingress", "metrics-from-prometheus"}
        elif "worker" in whose:
            expected |= {"public-web", "metrics-from-prometheus"}
        elif whose == "colloquy-sweeper":
            expected |= {"metrics-from-prometheus"}
        elif "models" in whose:
            expected = {"names", "public-web"}
        assert allowed(template["metadata"]["labels"]) == expected, whose
    for one in policies:
        for rule in [*one["spec"].get("ingress", []), *one["spec"].get("egress", [])]:
            assert rule["ports"]
            assert rule.get("from") or rule.get("to")


def test_the_way_to_the_public_web_is_the_service_s_own() -> None:
    rule = named(rendered("overlays/cpu"), "NetworkPolicy", "public-web")["spec"]["egress"][0]
    ports = ",".join(
        f"{one['port']}-{one['endPort']}" if "endPort" in one else str(one["port"]) for one in rule["ports"]
    )
    assert ports == Settings().egress.ports
    policy, blocks = egress_policy(Settings()), [one["ipBlock"] for one in rule["to"]]

    def open_to(address: str) -> bool:
        here = ip_address(address)
        return any(
            here in ip_network(block["cidr"]) and not any(here in ip_network(part) for part in block["except"])
            for block in blocks
            if ip_network(block["cidr"]).version == here.version
        )

    private = (
        "10.1.2.3", "127.0.0.1", "169.254.169.254", "172.20.0.1", "192.168.1.1", "100.64.0.1", "0.1.2.3", "224.0.0.1",
        "255.255.255.255", "198.18.0.1", "::1", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "::ffff:10.0.0.1",
        "64:ff9b::a00:1", "2002:a00:1::", "2001:db8::1",
    )  # fmt: skip
    for address in private:
        assert not open_to(address), address
        assert not policy.admits(address, ip_address(address)), address
    for address in ("93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946"):
        assert open_to(address)
        assert policy.admits(address, ip_address(address))


def test_scaling_goes_by_numbers_that_there_are() -> None:
    objects = rendered("overlays/keda")
    known = {one.full for one in CATALOGUE}
    workers = [one["metadata"]["name"] for one in kind(objects, "Deployment") if "worker" in one["metadata"]["name"]]
    scaled = kind(objects, "ScaledObject")
    assert [one["spec"]["scaleTargetRef"]["name"] for one in scaled] == workers
    for one in scaled:
        spec = one["spec"]
        used = [trigger["metadata"]["query"] for trigger in spec["triggers"]]
        names = {name for query in used for name in re.findall(r"colloquy_\w+", query)}
        assert {"colloquy_queue_depth", "colloquy_queue_oldest_seconds"} <= names <= known
        grace = named(objects, "Deployment", spec["scaleTargetRef"]["name"])["spec"]["template"]["spec"]
        stable = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
        assert (
            min(spec["cooldownPeriod"], stable["stabilizationWindowSeconds"]) > grace["terminationGracePeriodSeconds"]
        )
        assert spec["minReplicaCount"] <= spec["fallback"]["replicas"] <= spec["maxReplicaCount"]
        # A fallback counts for averages alone, and its value must be a string for KEDA.
        assert all(trigger["metricType"] == "AverageValue" for trigger in spec["triggers"])


def test_the_gpu_s_workers_ask_for_one_and_go_where_there_is_one() -> None:
    for name in ("gpu", "keda"):
        template = named(overlay(name), "Deployment", "colloquy-worker-cuda")["spec"]["template"]
        assert containers(template)[0]["resources"]["limits"]["nvidia.com/gpu"] == 1
        assert [each["key"] for each in template["spec"]["tolerations"]] == ["nvidia.com/gpu"]
        assert loaded(overlay(name), containers(template)[0]).asr.device == "cuda"


@each_overlay
def test_weights_are_read_and_never_written_by_workers(name: str) -> None:
    objects = overlay(name)
    for whose, template in pods(objects):
        claims = [one for one in template["spec"]["volumes"] if "persistentVolumeClaim" in one]
        if "models" in whose:
            assert loaded(objects, containers(template)[0]).models.download, "it fetches, and nobody else does"
        if "worker" not in whose:
            continue
        assert not loaded(objects, containers(template)[0]).models.download
        assert [one["persistentVolumeClaim"] for one in claims] == [{"claimName": "colloquy-models", "readOnly": True}]
        mount = next(each for each in containers(template)[0]["volumeMounts"] if each["name"] == "models")
        assert mount["readOnly"] is True


def test_the_ingress_lets_through_what_the_service_takes() -> None:
    ingress = rendered("ingress")[0]
    told = {name.partition("/")[2]: value for name, value in ingress["metadata"]["annotations"].items()}
    own = Settings()
    assert int(told["proxy-body-size"].removesuffix("m")) * 2**20 >= own.max.file_size
    assert float(told["proxy-read-timeout"]) > own.api.sync_seconds
    assert told["proxy-request-buffering"] == told["proxy-buffering"] == "off"
    backends = {
        path["path"]: path["backend"]["service"]["name"] for path in ingress["spec"]["rules"][0]["http"]["paths"]
    }
    services = {one["metadata"]["name"] for one in kind(overlay("cpu"), "Service")}
    assert backends["/"] in services
    assert backends["/metrics"] not in services


def test_settings_name_nothing_twice() -> None:
    lines = (FOLDER / "base" / "settings.env").read_text(encoding="utf-8").splitlines()
    names = [line.partition("=")[0] for line in lines if line and not line.startswith("#")]
    assert len(names) == len(set(names))
