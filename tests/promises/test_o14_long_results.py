"""O-14: a result of 50,000 segments, asked for by ten pollers at once and again: little memory, no stall, and 304."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import pytest

from application.rendering.transcript_codec import encode_transcript
from domain.task import TaskId
from tests.e2e.service import Service
from tests.entrypoints.http_service import a_transcript
from tests.recordings import CONVERSATION

SEGMENTS = 50_000
POLLERS = 10
MIB = 1 << 20
MOST_GROWTH = 64 * MIB
MOST_FOR_MAKING = 256 * MIB
"""The first time, the transcript is read as objects and written as another JSON: once, however many ask."""
SPEAKERS = 2
"""Whose counted words stand under the same name as a segment's."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("o14") / "data"
    scripted = {"ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted", "LOG_LEVEL": "warning"}
    with Service(folder, **scripted) as started:
        yield started


@pytest.fixture(scope="module")
def task(service: Service) -> str:
    """A task that is done, whose transcript is as long as that of a week."""
    made = service.submit(CONVERSATION)
    assert service.wait(made)["status"] == "done"
    assert service.result(made).status_code == 200  # what that needs is in memory now
    long = service.submit(CONVERSATION)
    assert service.wait(long)["status"] == "done"
    blob = service.data / "blobs" / "transcripts" / long / "1.json"
    assert blob.is_file()
    blob.write_bytes(encode_transcript(a_transcript(TaskId(UUID(long)), segments=SEGMENTS, words=1)))
    return long


def resident(service: Service, what: str) -> int:
    for line in Path(f"/proc/{service.pid}/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(what)


def read(service: Service, task: str, etag: str = "") -> tuple[int, str, int, int]:
    """Ask for the result as a poller that throws it away; return status, tag, bytes on the wire, and segments."""
    headers = {"If-None-Match": etag} if etag else {}
    with service.client() as client, client.stream("GET", f"/api/v1/result/{task}", headers=headers) as answer:
        body = b"".join(answer.iter_bytes())
        found = body.count(b'"words":') if body else 0
        return answer.status_code, answer.headers.get("etag", ""), answer.num_bytes_downloaded, found


def growth(service: Service, task: str, etag: str = "") -> tuple[int, set[tuple[int, str, int, int]]]:
    """Have all pollers ask at once; return by how many bytes the service grew meanwhile, and what they got."""
    before = resident(service, "VmRSS")
    Path(f"/proc/{service.pid}/clear_refs").write_text("5")  # the peak is counted anew
    with ThreadPoolExecutor(POLLERS) as pollers:
        answers = set(pollers.map(lambda _: read(service, task, etag), range(POLLERS)))
    return resident(service, "VmHWM") - before, answers


def test_o14_many_pollers_of_a_long_result_cost_little(service: Service, task: str) -> None:
    making, [(status, etag, size, found)] = growth(service, task)
    assert (status, found) == (200, SEGMENTS + SPEAKERS)
    assert making < MOST_FOR_MAKING, "one made it, and nine waited"
    sending, answers = growth(service, task)
    assert answers == {(200, etag, size, found)}
    assert sending < MOST_GROWTH
    knowing, answers = growth(service, task, etag)
    assert answers == {(304, etag, 0, 0)}
    assert knowing < MOST_GROWTH
    with service.client() as client:
        assert client.get("/health/live").elapsed.total_seconds() < 2
