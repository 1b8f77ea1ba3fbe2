"""Secrets of an installation: made once, each anew, readable for one service."""

import base64
import json
import os
import stat
from pathlib import Path

from infrastructure.containers.first_start import KEPT, OWNERS, READ, prepare
from infrastructure.load_settings import load_settings


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_secrets_are_made_once_and_differ_between_installations(tmp_path: Path) -> None:
    volumes = tmp_path / "volumes"
    for name in ("postgres-data", "s3-data"):
        (volumes / name).mkdir(parents=True)
    made = prepare(tmp_path / "one", volumes)
    assert set(made) == set(KEPT) | {f"{service}/{name}" for service, names in READ.items() for name in names}
    first = files(tmp_path / "one")
    assert prepare(tmp_path / "one", volumes) == []
    assert files(tmp_path / "one") == first
    prepare(tmp_path / "other", volumes)
    other = files(tmp_path / "other")
    assert not set(first.values()) & set(other.values())
    kept = {name: first[f"kept/{name}"] for name in KEPT}
    assert len(set(kept.values())) == len(kept)
    assert all(len(secret) >= 20 for secret in kept.values())


def test_each_file_is_its_services_alone(tmp_path: Path) -> None:
    (tmp_path / "volumes" / "redis-data").mkdir(parents=True)
    (tmp_path / "volumes" / "s3-data").mkdir()
    (tmp_path / "volumes" / "s3-data" / "recording").touch(0o644)
    before = (tmp_path / "volumes" / "s3-data").stat()
    prepare(tmp_path / "secrets", tmp_path / "volumes")
    for path in (tmp_path / "secrets").rglob("*"):
        found = path.stat()
        assert stat.S_IMODE(found.st_mode) == (0o700 if path.is_dir() else 0o600), path
        service = path.relative_to(tmp_path / "secrets").parts[0]
        if os.geteuid() == 0:
            assert found.st_uid == OWNERS.get(service, 0), path
    after = (tmp_path / "volumes" / "s3-data").stat()
    assert (after.st_uid, after.st_mode) == (before.st_uid, before.st_mode), "what holds something is not ours to give"


def test_what_was_lost_is_written_again_from_what_is_kept(tmp_path: Path) -> None:
    prepare(tmp_path, tmp_path / "none")
    first = files(tmp_path)
    (tmp_path / "redis" / "redis.conf").unlink()
    (tmp_path / "postgres" / "password").write_text("somebody else's")
    assert sorted(prepare(tmp_path, tmp_path / "none")) == ["postgres/password", "redis/redis.conf"]
    assert files(tmp_path) == first


def test_the_service_takes_what_is_made(tmp_path: Path) -> None:
    prepare(tmp_path, tmp_path / "none")
    own = tmp_path / "colloquy"
    settings = load_settings(
        {"API_HOST": "0.0.0.0", "BLOB_URL": "s3://colloquy", "S3_ENDPOINT": "s3:9000"}  # noqa: S104 - as in a container
        | {f"{name.upper()}_FILE": str(own / name) for name in READ["colloquy"]}
    )
    assert len(base64.b64decode(settings.installation_secret)) == 32
    assert settings.database_url.endswith("@postgres:5432/colloquy")
    [identity] = json.loads((tmp_path / "s3" / "identities.json").read_text())["identities"]
    [credentials] = identity["credentials"]
    assert (credentials["accessKey"], credentials["secretKey"]) == (settings.s3.access_key, settings.s3.secret_key)
