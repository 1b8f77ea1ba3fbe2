"""Fetchers against servers on loopback, of which 127.0.0.2 stands for the public ones."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.egress import Egress
from adapters.fetching.chosen import HttpOrYtDlpFetcher
from adapters.fetching.http import HttpFetcher
from adapters.fetching.ytdlp import YtDlpFetcher
from domain.egress import EgressPolicy
from domain.errors import FetchFailed, FetchUnavailable, StorageFull
from tests.contracts.media_fetcher import LIMITS, At, MediaFetcherContract, ignore
from tests.web import CALL, Page, Web

PUBLIC = EgressPolicy.allowing(["127.0.0.2/32"])
"""Treats 127.0.0.2 as public."""


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        yield server


class TestHttpFetcher(MediaFetcherContract, adapter=HttpFetcher):
    @pytest.fixture
    def fetcher(self) -> HttpFetcher:
        return HttpFetcher(Egress(PUBLIC))

    @pytest.fixture
    def at(self, web: Web) -> At:
        def put(page: Page) -> str:
            web.pages["/a/call.flac"] = page
            return f"{web.address}/a/call.flac"

        return put


class TestYtDlpFetcher(MediaFetcherContract, adapter=YtDlpFetcher):
    @pytest.fixture
    def fetcher(self) -> YtDlpFetcher:
        return YtDlpFetcher(Egress(PUBLIC))

    @pytest.fixture
    def at(self, web: Web) -> At:
        def put(page: Page) -> str:
            web.pages["/call.flac"] = page
            web.pages["/talk"] = Page.html('<title>A talk</title><audio src="/call.flac"></audio>')
            return f"{web.address}/talk"

        return put


class TestHttpOrYtDlpFetcher(MediaFetcherContract, adapter=HttpOrYtDlpFetcher):
    @pytest.fixture
    def fetcher(self) -> HttpOrYtDlpFetcher:
        egress = Egress(PUBLIC)
        return HttpOrYtDlpFetcher(HttpFetcher(egress), YtDlpFetcher(egress))

    @pytest.fixture
    def at(self, web: Web) -> At:
        def put(page: Page) -> str:
            web.pages["/call.flac"] = page
            return f"{web.address}/call.flac"

        return put


async def test_a_page_is_searched_for_its_recording(web: Web, tmp_path: Path) -> None:
    web.pages = {
        "/call.flac": Page(CALL.read_bytes()),
        "/talk": Page.html('<title>A talk</title><audio src="/call.flac"></audio>'),
    }
    egress = Egress(PUBLIC)
    fetcher = HttpOrYtDlpFetcher(HttpFetcher(egress), YtDlpFetcher(egress))
    fetched = await fetcher.fetch(f"{web.address}/talk", tmp_path / "recording", LIMITS, ignore)
    assert (tmp_path / "recording").read_bytes() == CALL.read_bytes()
    assert fetched.title.startswith("A talk")


async def test_a_page_without_a_recording_is_no_recording(web: Web, tmp_path: Path) -> None:
    web.pages = {"/talk": Page.html("<title>No talk</title><p>Nothing here.</p>")}
    with pytest.raises(FetchFailed) as caught:
        await YtDlpFetcher(Egress(PUBLIC)).fetch(f"{web.address}/talk", tmp_path / "recording", LIMITS, ignore)
    assert caught.value.reason == "fetch_failed"


async def test_the_server_names_the_file(web: Web, tmp_path: Path) -> None:
    named = {"Content-Disposition": "attachment; filename*=UTF-8''Gespr%C3%A4ch.flac", "Content-Type": "audio/flac"}
    web.pages = {"/x": Page(CALL.read_bytes(), headers=named)}
    fetched = await HttpFetcher(Egress(PUBLIC)).fetch(f"{web.address}/x", tmp_path / "recording", LIMITS, ignore)
    assert (fetched.filename, fetched.media_type) == ("Gespräch.flac", "audio/flac")


async def test_credentials_stay_with_their_server(web: Web, tmp_path: Path) -> None:
    web.pages = {"/here": Page.to("/there"), "/there": Page.to("/call.flac"), "/call.flac": Page(CALL.read_bytes())}
    with Web({"/away": Page.to(f"{web.address}/call.flac")}) as other:
        url = f"http://ann:hush@127.0.0.2:{web.port}/here"
        await HttpFetcher(Egress(PUBLIC)).fetch(url, tmp_path / "one", LIMITS, ignore)
        assert all("authorization" in each for each in web.headers)
        web.headers.clear()
        url = f"http://ann:hush@127.0.0.2:{other.port}/away"
        await HttpFetcher(Egress(PUBLIC)).fetch(url, tmp_path / "two", LIMITS, ignore)
        assert "authorization" in other.headers[0]
        assert "authorization" not in web.headers[0]


async def test_no_proxy_of_the_environment_is_used(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    web.pages = {"/call.flac": Page(CALL.read_bytes())}
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    await HttpFetcher(Egress(PUBLIC)).fetch(f"{web.address}/call.flac", tmp_path / "recording", LIMITS, ignore)
    assert (tmp_path / "recording").read_bytes() == CALL.read_bytes()


async def test_a_host_that_nobody_knows_may_come_back(tmp_path: Path) -> None:
    async def nobody(host: str, port: int) -> list[str]:
        raise OSError(f"{host}:{port}")

    with pytest.raises(FetchUnavailable):
        await HttpFetcher(Egress(PUBLIC, nobody)).fetch("http://a.test/", tmp_path / "recording", LIMITS, ignore)


async def test_a_full_disk_is_told_by_its_name(web: Web) -> None:
    web.pages = {"/call.flac": Page(CALL.read_bytes() * 4)}

    class Full(type(Path())):  # type: ignore[misc] # the class that this machine's paths have
        def open(self, *_: object, **__: object) -> object:
            return Path("/dev/full").open("wb")

    with pytest.raises(StorageFull):
        await HttpFetcher(Egress(PUBLIC)).fetch(f"{web.address}/call.flac", Full("x"), LIMITS, ignore)
