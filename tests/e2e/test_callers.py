"""Who may call, on the real service: the lines of the README, a browser's token on every door, nothing in the log."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.e2e.service import Service, environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]
SCRIPTED = {"ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted"}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path / "data", **SCRIPTED, ANONYMOUS="local", LOG_LEVEL="debug") as started:
        yield started


def curl(service: Service, *arguments: str, key: str | None = None) -> str:
    """Run curl as a reader of the README does; return what it prints."""
    auth = [] if key is None else ["-H", f"Authorization: Bearer {key}"]
    *options, path = arguments
    ran = subprocess.run(
        ["curl", "-sS", "--fail-with-body", "--noproxy", "*", *auth, *options, f"{service.base}{path}"],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_lines_of_the_readme_work(service: Service) -> None:
    made = json.loads(
        curl(service, "--json", '{"name": "reports", "scopes": ["read"], "expires_in": 2592000}', "/api/v1/keys",
             key=service.key)
    )  # fmt: skip
    assert json.loads(curl(service, "/api/v1/tasks", key=made["secret"])) == {"tasks": [], "next_cursor": None}
    rotated = json.loads(
        curl(service, "--json", '{"grace_seconds": 3600}', f"/api/v1/keys/{made['id']}/rotate", key=service.key)
    )
    for secret in (made["secret"], rotated["secret"]):
        curl(service, "/api/v1/tasks", key=secret)
    curl(service, "-X", "DELETE", f"/api/v1/keys/{made['id']}", key=service.key)
    listed = json.loads(curl(service, "/api/v1/keys", key=service.key))["keys"]
    assert [each["revoked_at"] is None for each in listed] == [True, False, True]

    password = secrets.token_urlsafe(12)
    user = json.dumps({"email": "ann@example.org", "password": password, "full_name": "Ann"})
    assert json.loads(curl(service, "--json", user, "/api/v1/auth/register"))["email"] == "ann@example.org"
    form = ["-d", "username=ann@example.org", "--data-urlencode", f"password={password}"]
    token = json.loads(curl(service, *form, "/api/v1/auth/token"))
    assert (token["token_type"], token["expires_in"]) == ("bearer", 3_600)
    curl(service, "/api/v1/tasks", key=token["access_token"])
    curl(service, "-X", "POST", "/api/v1/auth/logout", key=token["access_token"])
    assert httpx.get(f"{service.base}/api/v1/tasks", headers={"Authorization": f"Bearer {token['access_token']}"},
                     trust_env=False).status_code == 401  # fmt: skip

    assert json.loads(curl(service, "/api/v1/tasks"))["tasks"] == [], "without a key, as ANONYMOUS=local says"
    with pytest.raises(AssertionError, match="unauthorized"):
        curl(service, "/api/v1/tasks", key="mistyped")
    assert password not in service.log


def test_a_browsers_token_opens_every_door_and_stands_in_no_log(service: Service) -> None:
    lent = json.loads(
        curl(service, "--json", '{"scopes": ["read"], "expires_in": 600}', "/api/v1/tokens", key=service.key)
    )["token"]
    address = service.base.replace("http://", "ws://") + "/api/v1/ws"
    curl(service, f"/api/v1/tasks?access_token={lent}")
    with connect(f"{address}?access_token={lent}", proxy=None) as socket:
        socket.send('{"type": "ping"}')
        assert json.loads(socket.recv(timeout=10))["type"] == "pong"
    for refused in (f"{address}?access_token={service.key}", f"{address}?access_token=x"):
        with pytest.raises(InvalidStatus) as caught, connect(refused, proxy=None):
            pass
        assert caught.value.response.status_code == 401
    for secret in (lent, lent.rpartition(".")[2], service.key):
        assert secret not in service.log
    assert "access_token" not in service.log


def test_users_are_added_where_nobody_may_register(tmp_path: Path) -> None:
    with Service(tmp_path / "data", **SCRIPTED, AUTH_REGISTRATION="closed") as service:
        password = secrets.token_urlsafe(12)
        user = {"email": "ann@example.org", "password": password}
        answer = httpx.post(f"{service.base}/api/v1/auth/register", json=user, trust_env=False)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        for words, status in ((password, 0), (password, 1), ("short", 1)):
            ran = subprocess.run(
                [str(Path(sys.executable).with_name("colloquy")), "users", "add", "ann@example.org"],
                env=environment(service.data), input=words + os.linesep, capture_output=True, text=True, timeout=20,
                check=False,
            )  # fmt: skip
            assert ran.returncode == status, ran.stderr
            assert words not in ran.stdout + ran.stderr
        curl(
            service, "-d", "username=ann@example.org", "--data-urlencode", f"password={password}", "/api/v1/auth/token"
        )
