"""O-06: whatever runs, no packet goes to anybody who was not configured: no telemetry, no look-up, no stray port."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.hosting.policy import Hosting
from tests.promises.isolated_run import NAME_SERVER

ROOT = Path(__file__).parents[2]
ALONE = ("unshare", "--net", "--mount")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_o06_nothing_is_sent_to_anybody_who_was_not_configured(tmp_path: Path) -> None:
    if shutil.which("unshare") is None or subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this kernel, or this user, may not have a network of its own")
    tmp_path.chmod(0o711)
    ran = subprocess.run(
        [*ALONE, sys.executable, "-m", "tests.promises.isolated_run", tmp_path, "one", "many"],
        capture_output=True, text=True, check=False, cwd=ROOT, env=dict(os.environ), timeout=220,  # noqa: TID251
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    heard = json.loads(ran.stdout.splitlines()[-1])
    control = heard.pop("control")
    strangers = [f"{NAME_SERVER} about telemetry.example", "192.0.2.7", "2001:db8::7"]
    assert control == {"strangers": strangers, "ports": [4318]}, "the ear hears"
    assert heard == {"one": {"strangers": [], "undeclared": []}, "many": {"strangers": [], "undeclared": []}}


def test_o06_engines_are_told_to_tell_nobody() -> None:
    """ONNX Runtime 1.31 asks for its makers' address seconds after its import, whatever it is told then."""
    environment = Hosting(environment={"ORT_DISABLE_TELEMETRY": "0", "PATH": "/bin"}).child_environment()
    assert {environment[name] for name in ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY")} == {"1"}
    assert environment["PYANNOTE_METRICS_ENABLED"] == "0"
