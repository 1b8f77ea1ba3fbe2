"""Everything that compose.yaml lists and this machine has, started as it says, and used through Caddy over TLS."""

import ssl
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pysubs2
import pytest

from tests.e2e.bring_up import NOT_STARTED, BringUp, missing
from tests.e2e.compose_file import ROOT
from tests.e2e.spoken import SCRIPT, speak

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def system() -> Iterator[BringUp]:
    assert not missing(), f"the bring-up needs these programs: {missing()}"
    # The weights of the tests lie where an operator's would, in the folder that is mounted at /models.
    settings = {"ASR_MODEL": "/models/small-whisper"}
    with (
        tempfile.TemporaryDirectory(prefix="colloquy-") as folder,  # pytest's own are closed to PostgreSQL's user
        BringUp(Path(folder), settings=settings, models=ROOT / "tests" / "data") as running,
    ):
        yield running


@pytest.fixture(scope="module")
def edge(system: BringUp) -> Iterator[httpx.Client]:
    """A caller outside, who trusts Caddy's authority and nobody else, with a key that was issued as the README says."""
    key = system.run("api", "colloquy", "keys", "issue", "by-hand").stdout.strip()
    with httpx.Client(
        base_url=f"https://localhost:{system.port('caddy', 443)}", timeout=30, trust_env=False,
        verify=ssl.create_default_context(cafile=str(system.authority)), headers={"Authorization": f"Bearer {key}"},
    ) as client:  # fmt: skip
        yield client


def test_all_of_the_file_runs_but_what_cannot_be_had(system: BringUp) -> None:
    assert set(system.file.services) == {each.name for each in system.started} | set(NOT_STARTED)
    for name, process in system.processes.items():
        assert process.poll() is None, name
    assert "made" in system.log("secrets")
    assert "the database is up to date" in system.log("migrate")
    again = system.again("secrets")
    assert (again.returncode, again.stdout) == (0, ""), "what is there stays"


def test_a_recording_becomes_subtitles_through_the_edge(system: BringUp, edge: httpx.Client, tmp_path: Path) -> None:
    speak(tmp_path / "meeting.wav")
    with (tmp_path / "meeting.wav").open("rb") as recording:
        handed_in = edge.post("/api/v1/transcribe", files={"file": recording}, data={"num_speakers": "2"})
    assert handed_in.status_code == 202, handed_in.text
    task = handed_in.json()["task_id"]
    deadline = time.monotonic() + 120
    while (status := edge.get(f"/api/v1/status/{task}").json())["status"] not in {"done", "error"}:
        assert time.monotonic() < deadline, f"{status}: {system.log('worker-cpu')[-2000:]}"
        time.sleep(0.5)
    assert status["status"] == "done", status
    subtitles = edge.get(f"/api/v1/result/{task}", params={"format": "srt"})
    heard = " ".join(event.plaintext.lower() for event in pysubs2.SSAFile.from_string(subtitles.text))
    said = " ".join(text for _, text in SCRIPT).split()
    assert sum(word in heard for word in said) > 0.8 * len(said), heard
    transcript = edge.get(f"/api/v1/result/{task}").json()
    assert {stage["name"]: stage["engine"] for stage in transcript["stages"]}["recognition"] == "faster_whisper"
    assert len(transcript["speakers"]) == 2
    assert edge.get("/metrics").status_code == 404, "for Prometheus alone"


def test_prometheus_sees_every_process(system: BringUp, edge: httpx.Client) -> None:
    del edge  # by now something was done
    base = f"http://127.0.0.1:{system.port('prometheus', 9090)}/api/v1"
    with httpx.Client(base_url=base, trust_env=False) as prometheus:

        def asked(query: str) -> dict[str, float]:
            answer = prometheus.get("/query", params={"query": query}).json()["data"]["result"]
            return {each["metric"].get("job", ""): float(each["value"][1]) for each in answer}

        deadline = time.monotonic() + 60
        wanted = {"colloquy-api", "colloquy-worker", "colloquy-sweeper", "alertmanager", "prometheus"}
        while (up := asked("max by (job) (up)")) != dict.fromkeys(wanted, 1.0):
            assert time.monotonic() < deadline, up
            time.sleep(1)
        while (done := asked('max by (job) (colloquy_tasks{status="done"})')).get("colloquy-sweeper") != 1:
            assert time.monotonic() < deadline, done
            time.sleep(1)
        rules = prometheus.get("/rules").json()["data"]["groups"]
        assert any(rule["health"] == "ok" for group in rules for rule in group["rules"])
        [known] = prometheus.get("/alertmanagers").json()["data"]["activeAlertmanagers"]
        assert str(system.port("alertmanager", 9093)) in known["url"]


def test_no_secret_is_in_a_log_and_all_end_well(system: BringUp) -> None:
    """The last one: it ends what the others use."""
    secrets = [path.read_text() for path in (system.folder / "volumes/secrets/kept").iterdir()]
    assert len(secrets) > 5
    assert len(set(secrets)) == len(secrets)
    logs = "".join(path.read_text(errors="replace") for path in system.folder.glob("*.log"))
    assert not [secret for secret in secrets if secret in logs]
    assert "cq_" not in logs, "a key would be shipped with the log"
    last = list(system.processes)
    ended = system.stop()
    assert list(ended) == last[::-1]
    assert set(ended.values()) == {0}, ended
