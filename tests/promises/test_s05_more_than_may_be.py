"""S-05: whatever a server sends, fetching stops at its limits, by what has arrived, and gives the disk back."""

import itertools
import os
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.egress import Egress
from adapters.fetching.http import HttpFetcher
from adapters.fetching.ytdlp import YtDlpFetcher
from application.ports.media_fetch import MediaFetcher
from domain.egress import EgressPolicy
from domain.errors import FetchFailed, FetchUnavailable, MediaRejected
from domain.fetching import FetchLimits
from tests.contracts.media_fetcher import LIMITS, ignore
from tests.web import CALL, Page, Web, endless

PUBLIC = EgressPolicy.allowing(["127.0.0.2/32"])
MIB = 1 << 20
SERVED = int(os.environ.get("COLLOQUY_TEST_SERVED_MIB", "64")) * MIB  # noqa: TID251 - a longer run for a release
SLACK = 64 * 1024
AUDIO = {"Content-Type": "audio/mpeg"}


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        yield server


def capped(most: int = 4 * MIB, seconds: float = 30.0, **more: float) -> FetchLimits:
    return FetchLimits(max_bytes=most, max_duration=60_000, max_seconds=seconds, **more)  # type: ignore[arg-type]


def served() -> Iterator[bytes]:
    return itertools.islice(endless(), SERVED // (1 << 16))


def chunked() -> Iterator[bytes]:
    return (b"%x\r\n%b\r\n" % (len(piece), piece) for piece in served())


async def refusal(fetcher: MediaFetcher, url: str, folder: Path, limits: FetchLimits) -> str:
    """Give the code with which fetching ends; what the folder holds until it is removed is within the limit."""
    folder.mkdir()
    with pytest.raises((MediaRejected, FetchFailed)) as caught:
        await fetcher.fetch(url, folder / "recording", limits, ignore)
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= limits.max_bytes + SLACK
    return caught.value.reason


async def test_s05_a_body_without_end_stops_at_the_limit(web: Web, tmp_path: Path) -> None:
    web.pages = {
        "/until-closed": Page(served, headers=AUDIO, length=None),
        "/chunked": Page(chunked, headers=AUDIO | {"Transfer-Encoding": "chunked"}, length=None),
        "/liar": Page(served, headers=AUDIO, length=1 << 40),
        "/audio": Page(served, headers=AUDIO, length=None),
        "/talk": Page.html('<audio src="/audio"></audio>'),
    }
    direct = HttpFetcher(Egress(PUBLIC))
    for path in ("until-closed", "chunked", "liar"):
        assert await refusal(direct, f"{web.address}/{path}", tmp_path / path, capped()) == "too_large"
    # What has left the server lies in buffers of the kernel for the most part; nothing of it was asked for.
    assert web.sent < 3 * (4 * MIB + 16 * MIB)
    site = YtDlpFetcher(Egress(PUBLIC))
    assert await refusal(site, f"{web.address}/talk", tmp_path / "site", capped()) == "too_large"


async def test_s05_a_body_that_breaks_off_is_not_the_recording(web: Web, tmp_path: Path) -> None:
    web.pages = {"/short": Page(CALL.read_bytes()[:1000], headers=AUDIO, length=2000)}
    with pytest.raises(FetchUnavailable):
        await HttpFetcher(Egress(PUBLIC)).fetch(f"{web.address}/short", tmp_path / "recording", LIMITS, ignore)


async def test_s05_nothing_is_unpacked(web: Web, tmp_path: Path) -> None:
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join([*(packer.compress(bytes(MIB)) for _ in range(64)), packer.flush()])
    web.pages = {
        "/bomb": Page(bomb, headers=AUDIO | {"Content-Encoding": "gzip"}),
        "/page": Page(bomb, headers={"Content-Type": "text/html", "Content-Encoding": "gzip"}),
        "/file.gz": Page(bomb, headers={"Content-Type": "application/gzip"}),
    }
    direct = HttpFetcher(Egress(PUBLIC))
    for path in ("bomb", "page"):
        assert await refusal(direct, f"{web.address}/{path}", tmp_path / path, capped()) == "fetch_failed"
    assert [each["accept-encoding"] for each in web.headers] == ["identity", "identity"]
    fetched = await direct.fetch(f"{web.address}/file.gz", tmp_path / "recording", capped(), ignore)
    assert fetched.size == len(bomb)


async def test_s05_a_trickle_is_given_up(web: Web, tmp_path: Path) -> None:
    def trickle() -> Iterator[bytes]:
        for piece in endless(b"x"):
            time.sleep(0.1)
            yield piece

    web.pages = {"/trickle": Page(trickle, headers=AUDIO, length=None)}
    limits = capped(patience=1.0)
    began = time.monotonic()
    assert (
        await refusal(HttpFetcher(Egress(PUBLIC)), f"{web.address}/trickle", tmp_path / "a", limits) == "fetch_failed"
    )
    assert time.monotonic() - began < 10


async def test_s05_time_runs_out(web: Web, tmp_path: Path) -> None:
    def silence() -> Iterator[bytes]:
        time.sleep(5)
        yield b""

    web.pages = {"/silence": Page(silence, headers=AUDIO, length=None), "/talk": Page.html('<audio src="/silence">')}
    limits = capped(seconds=1.0)
    for number, fetcher in enumerate((HttpFetcher(Egress(PUBLIC)), YtDlpFetcher(Egress(PUBLIC)))):
        path = "silence" if number == 0 else "talk"
        assert await refusal(fetcher, f"{web.address}/{path}", tmp_path / path, limits) == "fetch_failed"


@pytest.mark.timeout(60)
async def test_s05_a_live_stream_is_refused(web: Web, tmp_path: Path) -> None:
    live = "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:5,\n/a.ts\n"
    web.pages = {
        "/live.m3u8": Page(live.encode(), headers={"Content-Type": "application/vnd.apple.mpegurl"}),
        "/a.ts": Page(bytes(1 << 16)),
        "/talk": Page.html('<video src="/live.m3u8"></video>'),
    }
    site = YtDlpFetcher(Egress(PUBLIC))
    assert await refusal(site, f"{web.address}/talk", tmp_path / "a", capped()) == "live_stream"
    assert "/a.ts" not in web.asked


@pytest.mark.timeout(60)
async def test_s05_of_ten_thousand_one_is_fetched(web: Web, tmp_path: Path) -> None:
    items = "".join(
        f'<item><title>{n}</title><enclosure url="{{0}}/{n}.flac" type="audio/flac"/></item>' for n in range(10_000)
    )
    feed = f'<?xml version="1.0"?><rss version="2.0"><channel><title>Talks</title>{items}</channel></rss>'
    web.pages = {"/feed": Page(feed.replace("{0}", web.address).encode(), headers={"Content-Type": "text/xml"})}
    web.pages |= {f"/{n}.flac": Page(CALL.read_bytes()) for n in range(3)}
    await YtDlpFetcher(Egress(PUBLIC)).fetch(f"{web.address}/feed", tmp_path / "recording", LIMITS, ignore)
    assert (tmp_path / "recording").read_bytes() == CALL.read_bytes()
    assert {path for path in web.asked if path.endswith(".flac")} == {"/0.flac"}
