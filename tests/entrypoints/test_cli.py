import json
import os
import subprocess
import sys
from pathlib import Path

import pysubs2
import pytest

from infrastructure.load_settings import load_settings
from infrastructure.startup import prepare

COLLOQUY = Path(sys.executable).with_name("colloquy")
CONVERSATION = Path(__file__).parents[1] / "data" / "conversation.flac"


def colloquy(*arguments: str | Path, data: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}  # noqa: TID251
    environment |= {"DATA_DIR": str(data), "MODELS_DOWNLOAD": "false", **settings}
    return subprocess.run(
        [COLLOQUY, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


SCRIPTED = {"ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted"}


def test_importing_the_command_takes_no_ml() -> None:
    heavy = "numpy ctranslate2 onnxruntime faster_whisper pocketsphinx av sklearn scipy librosa torch"
    code = f"import sys, entrypoints.cli.main; print([m for m in {heavy.split()!r} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_transcribe_writes_what_was_asked_for(tmp_path: Path) -> None:
    output = tmp_path / "out.srt"
    ran = colloquy("transcribe", CONVERSATION, "-f", "srt", "-o", output, "-q", data=tmp_path / "data", **SCRIPTED)
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr
    assert len(pysubs2.load(str(output))) > 1


def test_transcribe_prints_json_alone_on_standard_output(tmp_path: Path) -> None:
    ran = colloquy("transcribe", CONVERSATION, "--format", "json", data=tmp_path / "data", **SCRIPTED)
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout)
    assert result["status"] == "done"
    assert {stage["name"] for stage in result["stages"]} >= {"decode", "voice_activity", "recognition", "diarization"}
    assert not (tmp_path / "data" / "colloquy.sqlite3").exists()


@pytest.mark.parametrize(
    ("arguments", "settings", "status", "said"),
    [
        (("transcribe", "absent.wav"), {}, 2, "does not exist"),
        (("transcribe", CONVERSATION, "--num-speakers", "2", "--max-speakers", "3"), {}, 2, "num_speakers"),
        (("transcribe", CONVERSATION, "--model", "large-v3"), {}, 4, "large-v3"),
        (("transcribe", __file__), SCRIPTED, 3, "colloquy:"),
        (("transcribe", CONVERSATION), SCRIPTED | {"ASR_SCRIPT": "raise x99"}, 78, "ASR_SCRIPT"),
        (("config",), {"ASR_ENGIN": "x"}, 78, "did you mean ASR_ENGINE?"),
        (("keys", "revoke", "00000000-0000-0000-0000-000000000001"), {}, 1, "no key"),
    ],
)
def test_the_exit_status_says_what_went_wrong(
    arguments: tuple[str | Path, ...], settings: dict[str, str], status: int, said: str, tmp_path: Path
) -> None:
    ran = colloquy(*arguments, data=tmp_path / "data", **settings)
    assert ran.returncode == status, ran.stderr
    assert said in " ".join(ran.stderr.split()).replace("│ ", ""), ran.stderr


def test_config_prints_what_is_in_force(tmp_path: Path) -> None:
    ran = colloquy("config", data=tmp_path, API_PORT="8123", MODELS_HUB_URL="https://me:hush@mirror.example")
    assert ran.returncode == 0
    assert "API_PORT=8123" in ran.stdout
    assert "hush" not in ran.stdout


@pytest.mark.timeout(60)
def test_doctor_tells_the_choice_and_the_way_to_better(tmp_path: Path) -> None:
    ran = colloquy("doctor", data=tmp_path, COLUMNS="200")
    assert ran.returncode == 0, ran.stdout
    assert "pocketsphinx: there are no weights of 'small'" in ran.stdout


@pytest.mark.timeout(60)
def test_doctor_fails_where_the_main_job_cannot_run() -> None:
    ran = colloquy("doctor", data=Path("/proc/colloquy"))
    assert ran.returncode == 1, ran.stdout
    assert "DATA_DIR" in ran.stdout


@pytest.mark.timeout(60)
def test_doctor_looks_at_what_is_there_and_makes_nothing(tmp_path: Path) -> None:
    ran = colloquy("doctor", "--json", data=tmp_path / "data")
    assert ran.returncode == 0, ran.stdout
    assert not (tmp_path / "data").exists()
    prepare(load_settings({"DATA_DIR": str(tmp_path / "data")}))
    (tmp_path / "data").chmod(0o755)
    found = {
        finding["part"]: finding for finding in json.loads(colloquy("doctor", "--json", data=tmp_path / "data").stdout)
    }
    assert (found["database"]["state"], found["blob folder"]["state"]) == ("ok", "ok")
    assert found["queue"]["found"].startswith("0 wait")
    assert found["permissions"]["fix"].startswith("chmod go= ")
    assert not list((tmp_path / "data" / "blobs").rglob("doctor*"))


def test_keys_are_issued_listed_and_revoked(tmp_path: Path) -> None:
    secret = colloquy("keys", "issue", "phone system", data=tmp_path).stdout.strip()
    assert secret.startswith("cq_")
    listed = colloquy("keys", "list", data=tmp_path).stdout
    assert "phone system" in listed
    assert secret not in listed
    key = listed.split()[0]
    assert "revoked" in colloquy("keys", "revoke", key, data=tmp_path).stdout
    assert "revoked" in colloquy("keys", "list", data=tmp_path).stdout
    database = b"".join(path.read_bytes() for path in tmp_path.glob("colloquy.sqlite3*"))
    assert secret.encode() not in database
