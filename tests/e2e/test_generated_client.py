"""A client that a generator makes of the description, driven against the running service: nothing in it is ours."""

import importlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from tests.e2e.service import Service

CALL = Path(__file__).parent.parent / "data" / "call.flac"
SETTINGS = {"ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted"}
WORDLESS = {"application/x-ndjson", "application/offset+octet-stream"}
"""What the generator has no words for: lines of JSON, and the bodies of tus."""
NAME = "colloquy_client"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path / "data", **SETTINGS) as service:
        yield service


def generate(service: Service, folder: Path) -> str:
    """Make the client; return what the generator had to say."""
    described = folder / "openapi.json"
    described.write_bytes(httpx.get(f"{service.base}/docs/openapi.json", trust_env=False).content)
    command = [
        str(Path(sys.executable).with_name("openapi-python-client")), "generate", "--path", str(described),
        "--output-path", str(folder / NAME), "--meta", "none",
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    return ran.stdout + ran.stderr


def part(name: str) -> ModuleType:
    return importlib.import_module(f"{NAME}.{name}")


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_client_made_of_the_description_uploads_polls_and_fetches(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = generate(service, tmp_path)
    for warning in said.split("WARNING parsing ")[1:]:
        assert any(kind in warning for kind in WORDLESS), warning
    monkeypatch.syspath_prepend(str(tmp_path))
    client = part("client").AuthenticatedClient(base_url=service.base, token=service.key)
    with client, CALL.open("rb") as recording:
        body = part("models.transcribe_files_body").TranscribeFilesBody(
            file=part("types").File(payload=recording, file_name="call.flac", mime_type="audio/flac"), num_speakers=2
        )
        accepted = part("api.transcription.transcribe").sync(client=client, body=body)
        assert type(accepted).__name__ == "Accepted"
        task = accepted.task_id
        get_status, done = part("api.transcription.get_status"), part("models.task_status").TaskStatus.DONE
        deadline = time.monotonic() + 60
        while (state := get_status.sync(task, client=client)).status is not done:
            assert time.monotonic() < deadline, state
            time.sleep(0.2)
        result = part("api.transcription.get_result").sync(task, client=client)
        assert result["segments"]
        assert result["task_id"] == str(task)
        listed = part("api.tasks.list_tasks").sync(client=client)
        assert [each.task_id for each in listed.tasks] == [task]
        used = part("api.tasks.get_usage").sync(client=client)
        assert (used.requests.used, used.bytes_.used) == (1, CALL.stat().st_size)
        deleted = part("api.tasks.delete_task").sync_detailed(task, client=client)
        assert deleted.status_code == 204
        gone = get_status.sync(task, client=client)
        assert (type(gone).__name__, gone.code) == ("Problem", "not_found")
