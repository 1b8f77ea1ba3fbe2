"""S-02: whatever redirects, pages and manifests say, each hop is judged before it is connected to."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.egress import Egress
from adapters.fetching.chosen import HttpOrYtDlpFetcher
from adapters.fetching.http import HttpFetcher
from adapters.fetching.ytdlp import YtDlpFetcher
from domain.egress import EgressPolicy
from domain.errors import ColloquyError, FetchFailed, UrlNotAllowed
from tests.contracts.media_fetcher import LIMITS, ignore
from tests.web import Page, Web, recording

PUBLIC = EgressPolicy.allowing(["127.0.0.2/32"])
"""Treats 127.0.0.2 as public; 127.0.0.1 is what must never be asked."""
MANIFEST = "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{private}/a.ts\n#EXT-X-ENDLIST\n"
MASTER = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{private}/a.m3u8\n"
SEALED = (
    '#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXT-X-KEY:METHOD=AES-128,URI="{private}/key"\n#EXTINF:5,\n/a.ts\n'
    "#EXT-X-ENDLIST\n"
)
MPD = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT5S">'
    '<Period><AdaptationSet mimeType="audio/mp4"><Representation id="1" bandwidth="9">'
    "<BaseURL>{private}/a.mp4</BaseURL>"
    "</Representation></AdaptationSet></Period></MPD>"
)
LURES = {
    "audio": '<audio src="{private}/a.mp3"></audio>',
    "video": '<video><source src="{private}/a.mp4" type="video/mp4"></video>',
    "frame": '<iframe src="{private}/talk"></iframe>',
    "open graph": '<meta property="og:video" content="{private}/a.mp4">',
    "refresh": '<meta http-equiv="refresh" content="0; url={private}/talk">',
    "json": '<script type="application/ld+json">{{"@type":"VideoObject","contentUrl":"{private}/a.mp4"}}</script>',
    "manifest": '<video src="/list.m3u8"></video>',
    "master": '<video src="/master.m3u8"></video>',
    "key": '<video src="/sealed.m3u8"></video>',
    "dash": '<video><source src="/list.mpd" type="application/dash+xml"></video>',
    "redirect": '<audio src="/away"></audio>',
    "file": '<audio src="file:///etc/passwd"></audio><audio src="ftp://127.0.0.1:{port}/a.mp3"></audio>',
}
EVERY = bool(os.environ.get("COLLOQUY_TEST_EVERY_LURE"))  # noqa: TID251 - a longer run for a release
TRIED = LURES if EVERY else ("audio", "manifest", "key", "redirect")
"""Each takes a process of its own."""


@pytest.fixture
def private() -> Iterator[Web]:
    with Web({"/a.mp3": recording(), "/talk": Page.html('<audio src="/a.mp3"></audio>')}, host="127.0.0.1") as server:
        yield server


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        yield server


async def fetched(url: str, into: Path) -> None:
    egress = Egress(PUBLIC)
    await HttpOrYtDlpFetcher(HttpFetcher(egress), YtDlpFetcher(egress)).fetch(url, into, LIMITS, ignore)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_s02_a_redirect_to_a_forbidden_address(web: Web, private: Web, tmp_path: Path, status: int) -> None:
    web.pages = {"/a": Page.to("/b"), "/b": Page.to(f"{private.address}/a.mp3", status)}
    with pytest.raises(UrlNotAllowed):
        await fetched(f"{web.address}/a", tmp_path / "recording")
    assert web.asked == ["/a", "/b"]
    assert private.asked == []


async def test_s02_ten_redirects_are_followed_and_no_more(web: Web, tmp_path: Path) -> None:
    web.pages = {f"/{n}": Page.to(f"/{n + 1}") for n in range(11)} | {"/11": recording()}
    await fetched(f"{web.address}/1", tmp_path / "ten")
    web.asked.clear()
    with pytest.raises(FetchFailed) as caught:
        await fetched(f"{web.address}/0", tmp_path / "eleven")
    assert "more than 10 times" in caught.value.detail
    assert len(web.asked) == 11


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.2/a.mp3",
        "data:audio/wav;base64,UklGRg==",
        "gopher://127.0.0.2/",
        "//0x7f.1/",
        "http://2130706433/",
        "http:\\\\127.0.0.1\\",
        "http://[::1]/",
        "http://localhost/",
        "http://[",
        "http://127.0.0.2:22/",
    ],
)
async def test_s02_a_redirect_to_what_is_no_place(web: Web, tmp_path: Path, location: str) -> None:
    web.pages = {"/a": Page.to(location)}
    with pytest.raises(UrlNotAllowed):
        await fetched(f"{web.address}/a", tmp_path / "recording")
    assert web.asked == ["/a"]


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("lure", TRIED)
async def test_s02_a_page_that_names_what_is_forbidden(web: Web, private: Web, tmp_path: Path, lure: str) -> None:
    page = LURES[lure].format(private=private.address, port=private.port)
    kinds = {"m3u8": "application/vnd.apple.mpegurl", "mpd": "application/dash+xml"}
    named = {"/list.m3u8": MANIFEST, "/master.m3u8": MASTER, "/sealed.m3u8": SEALED, "/list.mpd": MPD}
    web.pages = {
        "/talk": Page.html(f"<html><head><title>A talk</title></head><body>{page}</body></html>"),
        "/away": Page.to(f"{private.address}/a.mp3"),
        "/a.ts": Page(bytes(64)),
    } | {
        path: Page(
            text.format(private=private.address).encode(), headers={"Content-Type": kinds[path.partition(".")[2]]}
        )
        for path, text in named.items()
    }
    with pytest.raises(ColloquyError) as caught:
        await fetched(f"{web.address}/talk", tmp_path / "recording")
    assert caught.value.reason in {"url_not_allowed", "fetch_failed"}
    assert private.asked == []
    assert not (tmp_path / "recording").exists()
