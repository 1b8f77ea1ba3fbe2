"""Makes what an installation in containers needs before anything else starts: secrets, and volumes with an owner.

It runs at every start and ends; what is there already stays. Each secret is made once, from the system's randomness,
and kept under `<root>/kept`; what a service is to read is written from that into a volume of its own, for its user.
It needs nothing but Python, so that it can run before and without everything else, and it prints no secret.
"""

import base64
import json
import os
import secrets
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

OWNERS = {
    "colloquy": 10001,
    "postgres": 999,
    "redis": 999,
    "s3": 1000,
    "prometheus": 65534,
    "alertmanager": 65534,
    "grafana": 472,
    "elasticsearch": 1000,
    "filebeat": 0,
    "caddy": 1000,
}
"""As whom each service runs; compose.yaml says the same."""
_BYTES = 32
Secrets = Mapping[str, str]


def _token() -> str:
    return secrets.token_urlsafe(_BYTES)


KEPT: dict[str, Callable[[], str]] = {
    "postgres_password": _token,
    "redis_password": _token,
    "s3_access_key": lambda: secrets.token_hex(10),
    "s3_secret_key": _token,
    "installation_secret": lambda: base64.b64encode(secrets.token_bytes(_BYTES)).decode(),
    "grafana_password": _token,
    "elastic_password": _token,
}


def _identities(known: Secrets) -> str:
    """Whom SeaweedFS lets in: this installation, and nobody without a signature."""
    credentials = [{"accessKey": known["s3_access_key"], "secretKey": known["s3_secret_key"]}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    return json.dumps({"identities": [{"name": "colloquy", "credentials": credentials, "actions": actions}]})


READ: dict[str, dict[str, Callable[[Secrets], str]]] = {
    "colloquy": {
        "database_url": lambda known: (
            f"postgresql+psycopg://colloquy:{known['postgres_password']}@postgres:5432/colloquy"
        ),
        "queue_url": lambda known: f"redis://:{known['redis_password']}@redis:6379/0",
        "s3_access_key": lambda known: known["s3_access_key"],
        "s3_secret_key": lambda known: known["s3_secret_key"],
        "installation_secret": lambda known: known["installation_secret"],
    },
    "postgres": {"password": lambda known: known["postgres_password"]},
    "redis": {
        "password": lambda known: known["redis_password"],
        "redis.conf": lambda known: f"requirepass {known['redis_password']}\n",
    },
    "s3": {
        "identities.json": _identities,
        "access_key": lambda known: known["s3_access_key"],
        "secret_key": lambda known: known["s3_secret_key"],
    },
    "grafana": {"password": lambda known: known["grafana_password"]},
    "elasticsearch": {"password": lambda known: known["elastic_password"]},
    "filebeat": {"password": lambda known: known["elastic_password"]},
}
"""For each service the files that it reads, as `<root>/<service>/<file>`."""


def prepare(root: Path, volumes: Path) -> list[str]:
    """Bring `root` about, and hand the empty folders of `volumes`, named `<service>-…`, to their users.

    Returns what was made anew. Only root can give files to others; everybody else keeps them.
    """
    made, known = [], {}
    for name, make in KEPT.items():
        path = root / "kept" / name
        if not path.exists():
            _write(path, make(), None)
            made.append(name)
        known[name] = path.read_text(encoding="utf-8")
    for service, files in READ.items():
        for name, content in files.items():
            path, text = root / service / name, content(known)
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                _write(path, text, OWNERS[service])
                made.append(f"{service}/{name}")
        _hand_over(root / service, OWNERS[service])
    for folder in sorted(volumes.iterdir()) if volumes.is_dir() else []:
        if not any(folder.iterdir()):  # what holds something has been handed over, or is a folder of the machine's
            _hand_over(folder, OWNERS[folder.name.partition("-")[0]])
    return made


def _write(path: Path, text: str, owner: int | None) -> None:
    """Put the whole file in place at once, for its owner alone; who is interrupted leaves none."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".")  # which nobody else may read
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
        if owner is not None and os.geteuid() == 0:
            os.fchown(descriptor, owner, owner)
    Path(draft).rename(path)


def _hand_over(folder: Path, owner: int) -> None:
    folder.chmod(0o700)
    if os.geteuid() == 0:
        os.chown(folder, owner, owner)


if __name__ == "__main__":
    for each in prepare(Path(sys.argv[1]), Path(sys.argv[2])):
        print(f"made {each}")  # noqa: T201 - a job says what it did
