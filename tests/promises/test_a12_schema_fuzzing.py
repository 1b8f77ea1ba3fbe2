"""A-12: whatever the description allows, and whatever it does not, is answered as it says; never with a 5xx.

`COLLOQUY_TEST_FUZZ` is how many requests are made up for each operation, 1,000 for a release.
"""

import base64
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.service import Service
from tests.servers.postgres import PostgresServer

ROUNDS = os.environ.get("COLLOQUY_TEST_FUZZ", "")  # noqa: TID251 - a longer run for a release
SETTINGS = {
    "ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted", "LIMIT_AUTH": "0", "API_SYNC_SECONDS": "2",
    "MAX_QUEUED": "1000000", "MAX_QUEUED_PER_OWNER": "1000000",
}  # fmt: skip
PATIENCE = 240 + 60 * int(ROUNDS or 0)
EXPECTED = """
[checks.positive_data_acceptance]
# What a schema cannot say: rules between fields (`num_speakers` excludes `min_speakers`), that bytes must be a
# recording, that an engine cannot do what another could, that a version must be the protocol's.
expected-statuses = ["2xx", "3xx", 400, 401, 403, 404, 409, 410, 412, 413, 415, 422, 429, 507]
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 408, 409, 410, 411, 412, 413, 415, 416, 422, 428, 429, 431]
[phases.stateful]
max-steps = 5
[[operations]]
# Deleting a key revokes it; that it was there, and since when it is not, its owner may go on seeing.
include-path = "/api/v1/keys/{key_id}"
checks.use_after_free.enabled = false
"""
HOOKS = """
import schemathesis

@schemathesis.serializer("application/offset+octet-stream")
def offset_octet_stream(context, value):
    return getattr(value, "data", None) or str(value).encode()
"""


@pytest.fixture(params=["sqlite", "postgres"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    if request.param == "sqlite":
        with Service(tmp_path / "data", **SETTINGS) as service:
            yield service
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    settings = SETTINGS | {"INSTALLATION_SECRET": base64.b64encode(secrets.token_bytes(32)).decode()}
    with server.database() as url, Service(tmp_path / "data", **settings, DATABASE_URL=url) as service:
        yield service


@pytest.mark.slow
@pytest.mark.timeout(PATIENCE + 30)
def test_a12_nothing_that_is_made_up_is_answered_otherwise_than_described(service: Service, tmp_path: Path) -> None:
    report = fuzz(service, tmp_path)
    assert "Tested:" in report, report[-4_000:]
    tested = re.search(r"Tested:\s+(\d+)", report)
    assert tested
    assert int(tested[1]) > 60, "every operation but the streams"
    assert "status=5" not in service.log.replace("status=503", ""), "no request failed on our side"
    assert not re.search(r"❌ ST\d+|Errors:", report), report[-20_000:]
    with service.client() as client:
        assert client.get("/health/ready").status_code == 200


def fuzz(service: Service, folder: Path) -> str:
    (folder / "schemathesis.toml").write_text(EXPECTED)
    (folder / "fuzz_hooks.py").write_text(HOOKS)
    # Every phase for a release; else one made-up request for each operation, and sequences of them.
    phases = "examples,coverage,fuzzing,stateful" if ROUNDS else "examples,fuzzing,stateful"
    command = [
        str(Path(sys.executable).with_name("st")), "--config-file", "schemathesis.toml", "run",
        f"{service.base}/docs/openapi.json", "-H", f"Authorization: Bearer {service.key}", "--checks", "all",
        "--phases", phases, "-n", ROUNDS or "1", "--workers", "2", "--no-color", "--request-timeout", "15",
        "--exclude-path-regex", "/(events|stream|logout|password)$", "--suppress-health-check", "all",
        "--generation-database", "none", "--no-shrink", "--continue-on-failure",
    ]  # fmt: skip
    path = str(Path(sys.executable).parent)
    ran = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False,
        env={"PATH": path, "HOME": str(folder), "PYTHONPATH": str(folder), "SCHEMATHESIS_HOOKS": "fuzz_hooks"},
    )  # fmt: skip
    return ran.stdout + ran.stderr
