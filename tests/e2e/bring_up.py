"""Starts by hand what compose.yaml lists, with the commands, settings, mounts and order that stand there.

Where no container engine can run, this is how the file is tried. Names of services become ports of the loopback
address, mounts become folders, an init and the limits of containers are missing; the images of others are the programs
of this machine. `python -m tests.e2e.bring_up` starts it all, prints a key, and ends it on Ctrl-C.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx
import yaml
from psycopg import pq
from redis import Redis
from redis.exceptions import RedisError

from infrastructure.containers.requirements import WORKERS_ONLY
from tests.e2e.compose_file import ROOT, ComposeFile, Mount, Service, image_environment
from tests.servers.ports import free_port, wait_until
from tests.servers.postgres import _as, _owner, binaries

NOT_STARTED = {
    "worker-cuda": "there is no GPU, and its image is worker-cpu's but for the base and an extra",
    "models": "it fetches weights from a hub, and ends",
    "grafana": "no package brings it",
    "elasticsearch": "no package brings it",
    "filebeat": "no package brings it",
}
ENDS = {"secrets", "migrate"}
"""They run, and are through before others start."""
PROGRAMS = ("colloquy", "weed", "caddy", "redis-server", "prometheus", "prometheus-alertmanager", "espeak-ng")
"""Of this environment, or of the machine."""
_STOP_SIGNALS = {"postgres": signal.SIGINT}
"""Where the image names another than SIGTERM."""
_DNS = re.compile(r"\b([a-z][a-z0-9-]*):(\d{2,5})\b")
_WITHOUT_MODELS = """
import sys
from importlib.abc import MetaPathFinder


class NotInThisImage(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in {modules!r}:
            raise ModuleNotFoundError(f"the image has no {{name}}", name=name)


sys.meta_path.insert(0, NotInThisImage())
"""


def program(name: str) -> str | None:
    return shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}:/usr/sbin")


class BringUp:
    """The installation in a folder, as a context; `settings` are the lines of `colloquy.env`."""

    def __init__(self, folder: Path, *, settings: Mapping[str, str], models: Path) -> None:
        self.folder = folder
        self.file = ComposeFile(variables={"COLLOQUY_MODELS": str(models)})
        self.started = self.file.in_order(set(self.file.services) - set(NOT_STARTED))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._settings = settings
        self._ports: dict[tuple[str, int], int] = {}
        self._views = {
            mount.source: mount.target for mount in self.file.services["secrets"].mounts() if mount.source
        }  # fmt: skip

    def __enter__(self) -> Self:
        try:
            for service in self.started:
                self._start(service)
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    # --- what a test asks ---

    def port(self, service: str, port: int) -> int:
        """The port of the loopback address that stands for a service's own."""
        return self._ports.setdefault((service, port), free_port())

    def log(self, service: str) -> str:
        return (self.folder / f"{service}.log").read_text(encoding="utf-8", errors="replace")

    def run(self, name: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a service's container, as `docker compose exec` does."""
        service = self.file.services[name]
        return self._through(self._located(self._translated(service, command)), self._environment(service))

    def again(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run once more what runs before others, as each `docker compose up` does."""
        service = self.file.services[name]
        return self._through(self._command(service), self._environment(service))

    @property
    def authority(self) -> Path:
        """The certificate of Caddy's own authority."""
        [data] = [mount for mount in self.file.services["caddy"].mounts() if mount.source == "caddy-data"]
        return self._place(self.file.services["caddy"], data) / "caddy/pki/authorities/local/root.crt"

    def stop(self) -> dict[str, int]:
        """End all as `docker compose stop` does, those first that need others; return the exit statuses."""
        ended = {}
        for name in reversed(list(self.processes)):
            process = self.processes.pop(name)
            process.send_signal(_STOP_SIGNALS.get(name, signal.SIGTERM))
            patience = float(str(self.file.services[name].raw.get("stop_grace_period", "10s")).removesuffix("s"))
            ended[name] = process.wait(patience)
        return ended

    def kill(self) -> None:
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.processes.clear()

    # --- starting ---

    def _start(self, service: Service) -> None:
        for needed, condition in service.needs.items():
            if needed in NOT_STARTED:
                continue
            assert (needed in self.processes) == (condition == "service_healthy"), f"{service.name} needs {needed}"
        command = self._command(service)
        if service.name in ENDS:
            ran = self._through(command, self._environment(service))
            (self.folder / f"{service.name}.log").write_text(ran.stdout + ran.stderr, encoding="utf-8")
            assert ran.returncode == 0, ran.stderr
            return
        lent = _as(_owner()) if service.name == "postgres" else {"cwd": ROOT}
        with (self.folder / f"{service.name}.log").open("wb") as log:
            self.processes[service.name] = subprocess.Popen(
                command, env=self._environment(service), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, **lent,
            )  # fmt: skip
        wait_until(lambda: self._healthy(service), seconds=90, what=f"{service.name} ({self.log(service.name)[-800:]})")

    def _command(self, service: Service) -> list[str]:
        started: list[str] = getattr(self, f"_{service.name.replace('-', '_')}", self._as_written)(service)
        return started

    def _through(self, command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False
        )

    def _as_written(self, service: Service) -> list[str]:
        return self._located(self._translated(service, service.command))

    def _secrets(self, service: Service) -> list[str]:
        for mount in service.mounts():
            if mount.named:
                self._place(service, mount).mkdir(parents=True, exist_ok=True)
        *command, secrets, volumes = self._as_written(service)
        return [*command, *(str(self.folder / "volumes" / view.strip("/")) for view in (secrets, volumes))]

    def _postgres(self, service: Service) -> list[str]:
        """Do what the image's entrypoint does with an empty volume, and start the server."""
        [data] = [self._place(service, each) for each in service.mounts() if each.source == "postgres-data"]
        [run] = [self._place(service, each) for each in service.mounts() if each.target == "/var/run/postgresql"]
        known, programs, owner = service.environment, binaries(), _owner()
        assert programs is not None
        password = self.folder / "postgres-password"
        shutil.copy(self._translated(service, [known["POSTGRES_PASSWORD_FILE"]])[0], password)
        run.mkdir(parents=True, exist_ok=True)
        for path in (data, run, password):
            if owner is not None:
                os.chown(path, owner.pw_uid, owner.pw_gid)
        for path in (self.folder, *data.parents):
            if path.is_relative_to(self.folder):
                path.chmod(0o711)
        initdb: list[str | Path] = [
            programs / "initdb", "-D", data, f"--username={known['POSTGRES_USER']}", f"--pwfile={password}",
            "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", *known["POSTGRES_INITDB_ARGS"].split(),
        ]  # fmt: skip
        subprocess.run(initdb, check=True, capture_output=True, **_as(owner))
        single: list[str | Path] = [programs / "postgres", "--single", "-D", data, "postgres"]
        made = f"CREATE DATABASE {known['POSTGRES_DB']};\n".encode()
        subprocess.run(single, input=made, check=True, capture_output=True, **_as(owner))
        return [
            str(programs / service.command[0]), *service.command[1:], "-D", str(data),
            "-c", "listen_addresses=127.0.0.1", "-c", f"port={self.port('postgres', 5432)}",
            "-c", f"unix_socket_directories={run}",
        ]  # fmt: skip

    def _redis(self, service: Service) -> list[str]:
        return [*self._as_written(service), "--bind", "127.0.0.1", "--port", str(self.port("redis", 6379))]

    def _s3(self, service: Service) -> list[str]:
        own = {f"-{part}.port{kind}": free_port()
               for part in ("master", "volume", "filer", "s3") for kind in ("", ".grpc")}  # fmt: skip
        own["-s3.port"] = self.port("s3", 9000)
        written = [each for each in self._as_written(service) if not each.startswith(("-s3.port=", "-s3.ip.bind="))]
        return [*written, "-s3.ip.bind=127.0.0.1", *(f"{name}={port}" for name, port in own.items())]

    def _caddy(self, service: Service) -> list[str]:
        """A stock Caddy reads the variant without the module; a test keeps the two equal."""
        stock = str(ROOT / "infrastructure/edge/Caddyfile.stock")
        written = zip(service.command, self._as_written(service), strict=True)
        return [stock if each == "/etc/caddy/Caddyfile" else here for each, here in written]

    def _prometheus(self, service: Service) -> list[str]:
        command = ["prometheus", *self._as_written(service)]
        return [*self._located(command), f"--web.listen-address=127.0.0.1:{self.port('prometheus', 9090)}"]

    def _alertmanager(self, service: Service) -> list[str]:
        command = ["prometheus-alertmanager", *self._as_written(service)]
        return [*self._located(command), f"--web.listen-address=127.0.0.1:{self.port('alertmanager', 9093)}"]

    # --- how names and paths of containers are read here ---

    def _environment(self, service: Service) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("LANG", "CT2_USE_MKL") if name in os.environ}  # noqa: TID251
        image = image_environment(service.target) if service.ours else {}
        given = image | (dict(self._settings) if "env_file" in service.raw else {}) | service.environment
        own = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"}
        if service.ours:
            own |= {
                "API_HOST": "127.0.0.1", "API_PORT": str(self.port(service.name, 8000)),
                "METRICS_HOST": "127.0.0.1", "METRICS_PORT": str(self.port(service.name, 9464)),
            }  # fmt: skip
            own["API_TRUSTED_PROXIES"] = "127.0.0.0/8" if service.environment.get("API_TRUSTED_PROXIES") else ""
        if service.ours and service.target == "api":
            own["PYTHONPATH"] = str(self._bare_image())
        if service.name == "caddy":
            own |= {
                "EDGE_HTTP_PORT": str(self.port("caddy", 80)), "EDGE_HTTPS_PORT": str(self.port("caddy", 443)),
                "EDGE_ADMIN": f"127.0.0.1:{self.port('caddy', 2019)}",
                "API_HOST": "localhost", "API_PORT": str(self.port("api", 8000)),
            }  # fmt: skip
        names = list(given)
        values = self._translated(service, [given[name] for name in names])
        return kept | dict(zip(names, values, strict=True)) | own

    def _bare_image(self) -> Path:
        """A folder for PYTHONPATH that hides what the image of the API does not have."""
        from importlib.metadata import packages_distributions  # noqa: PLC0415 - it reads all that is installed

        folder = self.folder / "bare"
        if not folder.exists():
            modules = {
                module
                for module, packages in packages_distributions().items()
                if {package.lower().replace("_", "-") for package in packages} & WORKERS_ONLY
            }
            assert {"ctranslate2", "numpy", "av"} <= modules
            folder.mkdir()
            (folder / "sitecustomize.py").write_text(_WITHOUT_MODELS.format(modules=modules), encoding="utf-8")
        return folder

    def _translated(self, service: Service, words: tuple[str, ...] | list[str]) -> list[str]:
        mounts = sorted(service.mounts(), key=lambda mount: -len(mount.target))
        return [self._here(self._word(service, mounts, word)) for word in words]

    def _word(self, service: Service, mounts: list[Mount], word: str) -> str:
        for mount in mounts:
            found = re.search(rf"(^|=){re.escape(mount.target)}(?=/|$)", word)
            if found:
                return word[: found.end(1)] + str(self._place(service, mount)) + word[found.end() :]
        return word

    def _located(self, command: list[str]) -> list[str]:
        return [(command[0] in PROGRAMS and program(command[0])) or command[0], *command[1:]]

    def _here(self, text: str) -> str:
        def local(found: re.Match[str]) -> str:
            known = found[1] in self.file.services
            return f"127.0.0.1:{self.port(found[1], int(found[2]))}" if known else found[0]

        return _DNS.sub(local, text)

    def _place(self, service: Service, mount: Mount) -> Path:
        """Where a mount lies: volumes as the one that makes secrets sees them; what is only read, as a copy with
        our ports in place of names."""
        if not mount.named:
            origin = ROOT / mount.source if mount.source.startswith(".") else Path(mount.source)
            original = origin if mount.source else self.folder / "tmpfs" / service.name / mount.target.strip("/")
        else:
            view = self._views.get(mount.source, f"/unseen/{mount.source}")
            original = self.folder / "volumes" / view.strip("/")
        if not mount.source:
            original.mkdir(parents=True, exist_ok=True)
        if not mount.read_only or mount.target == "/models":
            return original
        copy = self.folder / "read" / service.name / mount.target.strip("/")
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            for path, target in _files(original, copy):
                target.parent.mkdir(parents=True, exist_ok=True)
                words = re.compile(r"\S+")
                text = words.sub(lambda word: self._translated(service, [word[0]])[0], path.read_text(encoding="utf-8"))
                target.write_text(self._without_dns(text) if path.name == "prometheus.yml" else text, encoding="utf-8")
                shutil.copymode(path, target)
        return copy

    def _without_dns(self, text: str) -> str:
        """Prometheus asks a DNS server for services; here their ports are listed."""
        configuration: dict[str, Any] = yaml.safe_load(text)
        asking = [*configuration["scrape_configs"], *configuration.get("alerting", {}).get("alertmanagers", [])]
        for job in asking:
            job["static_configs"] = job.get("static_configs", []) + [
                {"targets": [f"127.0.0.1:{self.port(name, question['port'])}"], "labels": {"__meta_dns_name": name}}
                for question in job.pop("dns_sd_configs", [])
                for name in question["names"]
                if name not in NOT_STARTED
            ]
            for static in job["static_configs"]:
                own = f"127.0.0.1:{self.port('prometheus', 9090)}"
                static["targets"] = [own if each == "localhost:9090" else each for each in static["targets"]]
        configuration["global"]["scrape_interval"] = "1s"
        configuration["global"]["scrape_timeout"] = "1s"
        return yaml.safe_dump(configuration)

    # --- health, as the file asks after it ---

    def _healthy(self, service: Service) -> bool:
        assert self.processes[service.name].poll() is None, f"{service.name} ended: {self.log(service.name)[-3000:]}"
        kind, *test = service.raw["healthcheck"]["test"]
        if test[0] == "colloquy":
            time.sleep(1)  # asking takes processor time from what is asked after
            return self.run(service.name, *test).returncode == 0
        if test[0] == "wget":
            address = httpx.URL(test[-1])
            try:
                answer = httpx.get(address.copy_with(port=self.port(service.name, address.port or 80)), trust_env=False)
            except httpx.HTTPError:
                return False
            return answer.status_code == httpx.codes.OK
        if test[0] == "pg_isready":
            asked = f"host=127.0.0.1 port={self.port(service.name, 5432)}"  # what that program asks the library
            return pq.PGconn.ping(asked.encode()) == pq.Ping.OK
        assert (kind, service.name) == ("CMD-SHELL", "redis"), test
        password = Path(self._translated(service, ["/secrets/password"])[0]).read_text(encoding="utf-8")
        with suppress(RedisError), Redis(port=self.port("redis", 6379), password=password) as client:
            return bool(client.ping())
        return False


def _files(origin: Path, target: Path) -> Iterator[tuple[Path, Path]]:
    if origin.is_file():
        yield origin, target
    else:
        for path in origin.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path, target / path.relative_to(origin)


def missing() -> list[str]:
    """The programs that are not here."""
    return [name for name in PROGRAMS if program(name) is None] + ([] if binaries() else ["postgres"])


def main() -> None:
    """Start it all with pocketsphinx and what needs no weights, until Ctrl-C."""
    with (
        tempfile.TemporaryDirectory(prefix="colloquy-") as folder,
        BringUp(Path(folder), settings={}, models=ROOT / "tests" / "data") as system,
    ):
        print(f"https://localhost:{system.port('caddy', 443)}, authority: {system.authority}")  # noqa: T201
        print(f"key: {system.run('api', 'colloquy', 'keys', 'issue', 'by-hand').stdout}")  # noqa: T201
        for name, why in NOT_STARTED.items():
            print(f"not started: {name}: {why}")  # noqa: T201
        with suppress(KeyboardInterrupt):
            while True:
                time.sleep(1)
        print(system.stop())  # noqa: T201


if __name__ == "__main__":
    main()
