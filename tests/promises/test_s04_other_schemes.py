"""S-04: what is no http:// or https:// URL is refused before any process starts or any file is opened."""

import asyncio
from pathlib import Path

import pytest

from adapters.egress import Egress
from adapters.fetching.chosen import HttpOrYtDlpFetcher
from adapters.fetching.http import HttpFetcher
from adapters.fetching.ytdlp import YtDlpFetcher
from application.ports.media_fetch import MediaFetcher
from domain.egress import EgressPolicy
from domain.errors import UrlNotAllowed
from tests.contracts.media_fetcher import LIMITS, ignore

OTHERS = [
    "file:///etc/passwd", "file://localhost/etc/passwd", "FILE:///etc/passwd", "/etc/passwd", "etc/passwd", "~/.netrc",
    "ftp://127.0.0.1/a.mp3", "ftps://example.org/a.mp3", "gopher://127.0.0.1:70/_x", "dict://127.0.0.1:11211/",
    "data:audio/wav;base64,UklGRg==", "rtmp://127.0.0.1/live", "rtsp://127.0.0.1/live", "rtp://127.0.0.1:5004",
    "mms://127.0.0.1/a", "srt://127.0.0.1:9000", "udp://127.0.0.1:5004", "tcp://127.0.0.1:80", "unix:///run/x.sock",
    "concat:/etc/passwd|/etc/hosts", "pipe:0", "fd:0", "subfile,,start,0,end,9,,:/etc/passwd", "crypto:/etc/passwd",
    "hls+http://127.0.0.1/a.m3u8", "view-source:http://127.0.0.1/", "blob:http://127.0.0.1/x", "javascript:alert(1)",
    "ytsearch:talk", "ytsearch10:talk", "gvsearch:talk", "ytdl:abc", "youtube:abc", ":ytfav", ":ythis", "auto",
    "--exec=touch x", "--config-locations=/tmp/x", "-o/tmp/x", "--", "-", "-U", "", " ", "http", "http:", "http://", "https:///a",
    "jar:http://127.0.0.1/a!/b", "ws://127.0.0.1/", "wss://127.0.0.1/", "s3://bucket/key", "smb://127.0.0.1/a",
    "ldap://127.0.0.1/", "tel:112", "\u200bhttp://127.0.0.1/", "http\u200b://127.0.0.1/", "\uff48ttp://127.0.0.1/",
]  # fmt: skip


@pytest.mark.parametrize("kind", [HttpFetcher, YtDlpFetcher, HttpOrYtDlpFetcher])
async def test_s04_nothing_is_started(
    kind: type[MediaFetcher], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[object] = []

    async def start(*arguments: object, **_: object) -> None:
        started.append(arguments)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    monkeypatch.setattr(asyncio, "open_connection", start)
    egress = Egress(EgressPolicy.allowing(["127.0.0.0/8"]))
    fetcher: MediaFetcher
    if kind is HttpOrYtDlpFetcher:
        fetcher = HttpOrYtDlpFetcher(HttpFetcher(egress), YtDlpFetcher(egress))
    else:
        fetcher = HttpFetcher(egress) if kind is HttpFetcher else YtDlpFetcher(egress)
    for url in OTHERS:
        with pytest.raises(UrlNotAllowed):
            await fetcher.fetch(url, tmp_path / "recording", LIMITS, ignore)
    assert started == []
    assert list(tmp_path.iterdir()) == []
