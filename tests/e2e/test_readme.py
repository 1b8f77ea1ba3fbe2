"""What the README tells a new user to type, typed: each of its blocks marked `bash`, in order, in one shell."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.service import Service

ROOT = Path(__file__).parent.parent.parent
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = "http://127.0.0.1:8000"
# A refusal must not pass unseen, as it would by a plain curl.
STRICT = """set -eu -o pipefail
curl() {
  case " $* " in
    *" --fail "*) command curl -sS "$@";;
    *) command curl --fail-with-body -sS "$@";;
  esac
}
"""
SETTINGS = {"ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted"}


def blocks() -> list[str]:
    return BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))


def test_there_are_examples() -> None:
    typed = "".join(blocks())
    assert len(blocks()) >= 3
    for route in ("/transcribe", "/status/", "/result/", "/tasks/", "/audio", "/usage"):
        assert f"/api/v1{route}" in typed, route


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_examples_work_as_they_stand(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests" / "data" / "call.flac", tmp_path / "meeting.mp3")
    with Service(tmp_path / "data", **SETTINGS) as service:
        script = STRICT + "\n".join(blocks()).replace(SHOWN, service.base)
        typed = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=90,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path), "KEY": service.key},
        )  # fmt: skip
    assert typed.returncode == 0, typed.stdout + typed.stderr
    answers = typed.stdout
    assert "-->" in answers, "the transcript came as SRT"
    assert '"Ann"' in answers, "a speaker was named"
    assert '"requests":{"used":' in answers
