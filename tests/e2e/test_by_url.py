"""Recordings by URL, end to end: the service as a user starts it, and a server on an address that it may reach."""

from pathlib import Path

import pytest

from tests.e2e.service import Service
from tests.web import Page, Web, recording

PAGE = '<html><head><title>Our talk</title></head><body><audio src="/call.flac"></audio></body></html>'


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_url_becomes_a_transcript(tmp_path: Path) -> None:
    pages = {"/call.flac": recording(), "/talk": Page.html(PAGE)}
    with (
        Web(pages) as web,
        Service(tmp_path / "data", EGRESS_ALLOW="127.0.0.2/32") as service,
        service.client() as client,
    ):
        answer = client.post("/api/v1/transcribe", json={"url": f"{web.address}/call.flac?sig=hush", "lang": "en"})
        assert answer.status_code == 202, answer.text
        page = client.post("/api/v1/transcribe", files={"url": (None, f"{web.address}/talk")})
        assert page.status_code == 202, page.text
        done = service.wait(answer.json()["task_id"], patience=120)
        assert done["status"] == "done", done
        assert done["source_url"] == f"{web.address}/call.flac?sig=***"
        assert done["filename"] == "call.flac"
        result = service.result(done["task_id"])
        assert len(result.json()["segments"][0]["text"].split()) > 10
        of_page = service.wait(page.json()["task_id"], patience=120)
        assert of_page["status"] == "done", of_page
        assert of_page["title"].startswith("Our talk")
        media = client.get(f"/api/v1/tasks/{done['task_id']}/media")
        assert media.content == recording().body
        assert "hush" not in service.log
        refused = client.post("/api/v1/transcribe", json={"url": "http://127.0.0.1:9/x.mp3"})
        assert refused.status_code == 422
        assert refused.json()["code"] == "url_not_allowed"
    assert not list((tmp_path / "data" / "work").glob("*"))


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_openai_programs_may_name_one_as_well(tmp_path: Path) -> None:
    settings = {"EGRESS_ALLOW": "127.0.0.2/32", "ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted"}
    with (
        Web({"/call.flac": recording()}) as web,
        Service(tmp_path / "data", **settings) as service,
        service.client() as client,
    ):
        fields = {"url": f"{web.address}/call.flac", "model": "whisper-1", "response_format": "text"}
        spoken = client.post("/v1/audio/transcriptions", files={name: (None, text) for name, text in fields.items()})
        assert spoken.status_code == 200, spoken.text
        assert spoken.text.startswith("word")
        fields["url"] = "http://127.0.0.1/"
        refused = client.post("/v1/audio/transcriptions", files={name: (None, text) for name, text in fields.items()})
        assert refused.status_code == 422
        assert refused.json()["error"]["code"] == "url_not_allowed"
