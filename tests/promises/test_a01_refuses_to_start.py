"""A-01: with a secret that everybody knows, or with no keys at all, the service opens to no network."""

import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure.load_settings import BadSettings, load_settings, variables
from tests.e2e.service import environment

OPEN_TO_OTHERS = ["0.0.0.0", "::", "192.0.2.7", "box.lan"]  # noqa: S104
PLACEHOLDERS = [
    "",
    " ",
    "changeme",
    "CHANGE-ME",
    "change_me",
    "mvp-api-key-123",
    "admin123",
    "password",
    "your_token_here",
]
SECRETS = [variable.name for variable in variables() if variable.secret]


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("value", PLACEHOLDERS)
def test_a01_no_placeholder_where_others_can_reach_it(name: str, value: str) -> None:
    for host in OPEN_TO_OTHERS:
        with pytest.raises(BadSettings) as refused:
            load_settings({"API_HOST": host, name: value})
        assert [problem.partition(":")[0] for problem in refused.value.problems] == [name]
        assert not value.strip() or value not in str(refused.value)


@pytest.mark.parametrize("name", ["DATABASE_URL", "QUEUE_URL", "EVENTS_URL"])
def test_a01_no_placeholder_inside_an_address(name: str) -> None:
    addresses = {
        "DATABASE_URL": "postgresql+psycopg://colloquy:{}@db/colloquy",
        "QUEUE_URL": "redis://:{}@broker:6379",
        "EVENTS_URL": "redis://:{}@broker:6379",
    }
    given = {each: url.format("k9vQ2mVtX1") for each, url in addresses.items()} | {"API_HOST": "0.0.0.0"}  # noqa: S104
    load_settings(given)
    for value in filter(str.strip, PLACEHOLDERS):
        with pytest.raises(BadSettings, match=f"^{name}: its password is a placeholder"):
            load_settings(given | {name: addresses[name].format(value)})


def test_a01_anonymous_callers_on_loopback_alone() -> None:
    for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost"):
        assert load_settings({"ANONYMOUS": "local", "API_HOST": host}).anonymous == "local"
    for host in OPEN_TO_OTHERS:
        with pytest.raises(BadSettings, match=r"^ANONYMOUS: "):
            load_settings({"ANONYMOUS": "local", "API_HOST": host})
        assert load_settings({"API_HOST": host}).anonymous == "no"


def test_a01_registration_is_open_on_loopback_unless_told_otherwise() -> None:
    asked = {
        (host, value): load_settings({"API_HOST": host, "AUTH_REGISTRATION": value}).registration_open
        for host in ("127.0.0.1", "0.0.0.0")  # noqa: S104
        for value in ("auto", "open", "closed")
    }
    assert [where for where, is_open in asked.items() if is_open] == [
        ("127.0.0.1", "auto"), ("127.0.0.1", "open"), ("0.0.0.0", "open"),  # noqa: S104
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"), [("ANONYMOUS", "local"), ("S3_SECRET_KEY", "changeme"), ("INSTALLATION_SECRET", "")]
)
def test_a01_the_process_ends_and_names_the_variable(tmp_path: Path, name: str, value: str) -> None:
    ran = subprocess.run(
        [Path(sys.executable).with_name("colloquy"), "serve"],
        env=environment(tmp_path) | {"API_HOST": "0.0.0.0", name: value},  # noqa: S104
        capture_output=True, text=True, timeout=15, check=False,
    )  # fmt: skip
    assert ran.returncode == 78
    assert name in ran.stderr
    assert not list(tmp_path.iterdir()), "it had not begun to work"
