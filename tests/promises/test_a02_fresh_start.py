"""A-02: a fresh installation has one key, which nobody could know, shown once; there is no account to guess at."""

import re
import stat
from pathlib import Path

import pytest

from infrastructure.load_settings import variables
from tests.e2e.service import Service

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]
ROOT = Path(__file__).resolve().parents[2]
KNOWN = re.compile(r"cq_[0-9A-Za-z]{42}|mvp-api-key-123|admin123|minioadmin")
OWN = {"access_settings.py"}
"""It names placeholders to refuse them."""
READ = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".env", ""}


class Fresh(Service):
    options = ()


def test_a02_a_fresh_start_shows_one_random_key_once(tmp_path: Path) -> None:
    keys = []
    for name in ("one", "other"):
        with Fresh(tmp_path / name) as service:
            keys.append(service.key)
            with service.client() as client:
                assert [each["hint"] for each in client.get("/api/v1/keys").json()["keys"]] == [service.key[:7]]
                lent = client.post("/api/v1/tokens", json={"scopes": ["read"]}).json()["token"]
                assert client.get("/api/v1/tasks", params={"access_token": lent}).status_code == 200
            assert service.stop() == 0
        log = service.log
        held = b"".join(path.read_bytes() for path in service.data.rglob("*") if path.is_file())
        for secret in (service.key, lent):
            assert secret not in log, "it was shown on the terminal, and is kept nowhere"
            assert secret.encode() not in held
        for path in (service.data, *service.data.rglob("*")):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, f"{path} is for others to see"
    assert len(set(keys)) == 2


def test_a02_no_secret_has_a_default_and_none_stands_in_the_tree() -> None:
    assert not [variable.name for variable in variables() if variable.secret and variable.default]
    found = [
        str(path.relative_to(ROOT))
        for pattern in (
            "domain/**/*",
            "application/**/*",
            "adapters/**/*",
            "infrastructure/**/*",
            "entrypoints/**/*",
            "*",
        )
        for path in ROOT.glob(pattern)
        if path.is_file() and path.suffix in READ and path.name not in OWN
        if KNOWN.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []
