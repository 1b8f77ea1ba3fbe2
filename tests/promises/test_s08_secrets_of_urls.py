"""S-08: what a URL holds of secrets stands in no log, no answer, no webhook and no result, whatever becomes of it."""

import sqlite3
from pathlib import Path

import pytest

from domain.egress import masked
from domain.task import MediaSource
from tests.e2e.service import Service
from tests.web import Page, Web, recording

SECRETS = ("hush-user", "hush-password", "hush-signature", "hush-token", "hush-fragment")
QUERY = "sig=hush-signature&X-Amz-Signature=hush-signature&hush-token&v=1#hush-fragment"


def test_s08_masking_leaves_no_secret() -> None:
    for url in (
        f"https://hush-user:hush-password@example.org/a.mp3?{QUERY}",
        f"https://hush-user@example.org:8443/a.mp3?{QUERY}",
        "hush-user:hush-password@example.org/a", "http://[hush-token", "hush-token",
    ):  # fmt: skip
        assert not any(secret in masked(url) for secret in SECRETS)
    assert masked("https://example.org/a.mp3?v=7") == "https://example.org/a.mp3?v=7"


def test_s08_nor_is_it_printed_with_the_task() -> None:
    assert "hush" not in repr(
        MediaSource(key="k", filename="f", size=0, sha256="", url="https://hush-user@example.org")
    )


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_s08_nothing_that_leaves_the_service_holds_one(tmp_path: Path) -> None:
    pages = {
        "/call.flac": recording(),
        "/page": Page.html("<title>No recording</title>"),
        "/away": Page.to("http://hush-user:hush-password@127.0.0.1/?sig=hush-signature"),
        "/text": Page(b"hello " * 100, headers={"Content-Type": "text/plain"}),
        "/hook": Page(),
    }
    settings = {
        "EGRESS_ALLOW": "127.0.0.2/32", "LOG_LEVEL": "debug", "ASR_ENGINE": "scripted",
        "DIARIZATION_ENGINE": "scripted", "WEBHOOKS_ALLOW_HTTP": "true",
    }  # fmt: skip
    data = tmp_path / "data"
    with Web(pages) as web, Service(data, **settings) as service, service.client() as client:
        where = f"hush-user:hush-password@127.0.0.2:{web.port}"
        said = []
        hook = client.post("/api/v1/webhooks", json={"url": f"{web.address}/hook"})
        assert hook.status_code == 201, hook.text
        for path in ("call.flac", "page", "away", "text", "gone"):
            answer = client.post("/api/v1/transcribe", json={"url": f"http://{where}/{path}?{QUERY}"})
            assert answer.status_code == 202, answer.text
            ended = service.wait(answer.json()["task_id"])
            assert (ended["status"] == "done") == (path == "call.flac"), ended
            result = service.result(ended["task_id"])
            said += [answer.text, str(answer.headers), str(ended), result.text, str(result.headers)]
        for bad in (f"http://hush-user:hush-password@127.0.0.1/a?{QUERY}", f"ftp://{where}/?{QUERY}"):
            refused = client.post("/api/v1/transcribe", json={"url": bad})
            assert refused.json()["code"] == "url_not_allowed"
            said.append(refused.text)
        said += [client.get("/api/v1/tasks").text, service.log, *(body.decode() for body in web.bodies)]
        assert len(web.bodies) > 5
        assert any("authorization" in each for each in web.headers)  # which the server did get
        for secret in SECRETS:
            assert not [text for text in said if secret in text]
        service.stop()
    with sqlite3.connect(data / "colloquy.sqlite3") as database:
        rows = database.execute("SELECT fetch_url, media FROM tasks").fetchall()
    database.close()
    done = [shown for url, shown in rows if url is None]
    assert len(done) == 2  # the recording and the text came here, and their URLs are forgotten
    assert not any(secret in text for row in rows for text in row if text for secret in SECRETS)
