"""U-17: files that name other files or addresses are refused in a moment, with nothing opened and nobody called.

Proven twice: in the confined child, and with the confinement left out, on the whitelists alone.
"""

import asyncio
import contextlib
import ctypes
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest

from adapters.egress import Egress
from adapters.fetching.chosen import HttpOrYtDlpFetcher
from adapters.fetching.http import HttpFetcher
from adapters.fetching.ytdlp import YtDlpFetcher
from adapters.media.av import AvDecoder
from adapters.media.decode_child import Refused, opened
from domain.egress import EgressPolicy
from domain.errors import MediaRejected
from tests.contracts.media_decoder import LIMITS, VOICE, ignore
from tests.contracts.media_fetcher import LIMITS as FETCH_LIMITS
from tests.media_files import wav
from tests.web import Page, Web

_IN_OPEN = 0x20
_libc = ctypes.CDLL(None, use_errno=True)

SIBLING = "private.wav"
LURES = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{url}/a.ts\n#EXT-X-ENDLIST\n",
    "hls_master": '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="mp4a.40.2"\n{url}/a.m3u8\n',
    "hls_key": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{url}/key"\n#EXTINF:5,\n{file}\n#EXT-X-ENDLIST\n',
    "hls_sibling": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n" + SIBLING + "\n#EXT-X-ENDLIST\n",
    "hls_absolute": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile://{file}\n#EXT-X-ENDLIST\n",
    "hls_concat": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nconcat:{file}|{file}\n#EXT-X-ENDLIST\n",
    "m3u": "#EXTM3U\n{url}/a.mp3\n",
    "m3u_sibling": SIBLING + "\n",
    "pls": "[playlist]\nFile1={url}/a.mp3\nNumberOfEntries=1\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT5S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period>'
    '<AdaptationSet mimeType="audio/mp4"><Representation id="1" bandwidth="1"><BaseURL>{url}/a.mp4</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>",
    "smooth": '<SmoothStreamingMedia MajorVersion="2" MinorVersion="0" Duration="50000000"><StreamIndex Type="audio" '
    'Url="{url}/a"/></SmoothStreamingMedia>',
    "smil": '<smil><body><audio src="{url}/a.mp3"/></body></smil>',
    "sdp": "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {udp} RTP/AVP 0\r\n",
    "ffconcat": "ffconcat version 1.0\nfile '{url}/a.mp3'\n",
    "ffconcat_sibling": "ffconcat version 1.0\nfile " + SIBLING + "\n",
    "ffconcat_absolute": "ffconcat version 1.0\nfile '{file}'\n",
    "edl": "# mpv EDL v0\n{file},0,5\n",
    "asx": '<asx version="3.0"><entry><ref href="{url}/a.mp3"/></entry></asx>',
    "ram": "{url}/a.rm\n",
    "ffmetadata": ";FFMETADATA1\ntitle={url}\n",
    "lavfi": "amovie={file}\n",
    "url_alone": "{url}/a.mp3",
    "internet_shortcut": "[InternetShortcut]\nURL={url}/a.mp3\n",
}
NAMES = ["recording.mp3", "recording.m3u8", "recording.sdp", "recording.ffconcat"]


class Canary:
    """A web server on loopback that counts who comes, beside a port for datagrams that nobody must bind."""

    def __init__(self) -> None:
        self.visits = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.udp = probe.getsockname()[1] & ~1
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.visits += 1
            with connection:
                connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: audio/wav\r\n\r\n" + wav(VOICE.samples))

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def bound(self) -> bool:
        """Whether anybody holds the datagram port that the SDP file names, or the one after it."""
        ports = {f"{self.udp:04X}", f"{self.udp + 1:04X}"}
        tables = (Path("/proc/net/udp"), Path("/proc/net/udp6"))
        rows = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
        return any(row[1].rpartition(":")[2] in ports for row in rows)


@pytest.fixture
def canary() -> Iterator[Canary]:
    bird = Canary()
    yield bird
    bird.close()


@contextmanager
def watched(path: Path) -> Iterator[list[bytes]]:
    """Collect every time that anybody opens `path`."""
    seen: list[bytes] = []
    watcher = _libc.inotify_init1(os.O_NONBLOCK)
    assert watcher >= 0
    try:
        assert _libc.inotify_add_watch(watcher, os.fsencode(path), _IN_OPEN) >= 0
        yield seen
        try:
            events = os.read(watcher, 4096)
        except BlockingIOError:
            events = b""
        seen.extend(events[at : at + 16] for at in range(0, len(events), struct.calcsize("iIII")))
    finally:
        os.close(watcher)


def lure(kind: str, name: str, canary: Canary, folder: Path) -> Path:
    (folder / SIBLING).write_bytes(wav(VOICE.samples))
    source = folder / name
    source.write_text(LURES[kind].format(url=canary.address, file=folder / SIBLING, udp=canary.udp))
    return source


@pytest.mark.slow
@pytest.mark.parametrize("kind", LURES)
def test_u17_the_child_refuses_at_once_and_touches_nothing(kind: str, canary: Canary, tmp_path: Path) -> None:
    source = lure(kind, "recording.m3u8", canary, tmp_path)
    started = time.monotonic()
    with watched(tmp_path / SIBLING) as opens, pytest.raises(MediaRejected) as caught:
        AvDecoder().decode(source, tmp_path, LIMITS, lambda _: assert_unbound(canary))
    assert caught.value.reason == "not_media"
    assert time.monotonic() - started < 1 + STARTING
    assert canary.visits == 0
    assert opens == []


STARTING = 2.0
"""Seconds that a child may take to start on a machine as busy as that of the tests; alone it takes 0.15."""


def assert_unbound(canary: Canary) -> None:
    assert not canary.bound()


@pytest.mark.parametrize("name", NAMES)
def test_u17_the_whitelists_alone_hold(
    name: str, canary: Canary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process, free to open and to connect, and in the folder of the sibling: no file gets anywhere."""
    monkeypatch.chdir(tmp_path)
    for kind in LURES:
        source = lure(kind, name, canary, tmp_path)
        started = time.monotonic()
        with source.open("rb", buffering=0) as file, watched(tmp_path / SIBLING) as opens:
            with pytest.raises(Refused) as caught:
                opened(file.fileno())
            assert not canary.bound()
        assert caught.value.args[0] == "not_media"
        assert time.monotonic() - started < 1
        assert opens == [], kind
    assert canary.visits == 0


def test_u17_the_canary_would_have_sung(canary: Canary, tmp_path: Path) -> None:
    """The proof above needs watchers that see: each is shown what it watches for."""
    with socket.create_connection(("127.0.0.1", int(canary.address.rpartition(":")[2]))) as visitor:
        assert visitor.recv(8) == b"HTTP/1.0"
    assert canary.visits == 1
    assert not canary.bound()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", canary.udp))
        assert canary.bound()
    sibling = tmp_path / SIBLING
    sibling.write_bytes(b"private")
    with watched(sibling) as opens:
        sibling.read_bytes()
    assert len(opens) == 1


def test_u17_the_lures_work_on_the_unwary(canary: Canary, tmp_path: Path) -> None:
    """What FFmpeg does with such files where nobody holds it back."""
    source = lure("hls", "recording.m3u8", canary, tmp_path)
    with source.open("rb") as file, contextlib.suppress(av.FFmpegError), av.open(file):
        pass
    assert canary.visits > 0
    source = lure("ffconcat_sibling", "recording.mp3", canary, tmp_path)
    with watched(tmp_path / SIBLING) as opens, av.open(str(source)):
        pass
    assert opens


def movie_with_reference(path: str) -> bytes:
    """A QuickTime file whose only track lies, as its header says, in the file `path` beside it, from byte 60,000 on."""

    def box(name: bytes, *parts: bytes) -> bytes:
        body = b"".join(parts)
        return (8 + len(body)).to_bytes(4, "big") + name + body

    def full(name: bytes, body: bytes) -> bytes:
        return box(name, bytes(4), body)

    place = f"/{path}".encode()
    levels = struct.pack(">HH", 1, 1)  # one folder up from here, one down to there
    alias = full(b"alis", bytes(130) + levels + bytes(16) + struct.pack(">HH", 2, len(place)) + place + b"\xff\xff\0\0")
    entry = box(b"sowt", bytes(6), b"\0\1", bytes(8), struct.pack(">HHHHI", 1, 16, 0, 0, 16_000 << 16))
    sample_table = box(
        b"stbl",
        full(b"stsd", struct.pack(">I", 1) + entry),
        full(b"stts", struct.pack(">III", 1, 10_000, 1)),
        full(b"stsc", struct.pack(">IIII", 1, 1, 10_000, 1)),
        full(b"stsz", struct.pack(">II", 2, 10_000)),
        full(b"stco", struct.pack(">II", 1, 60_000)),
    )
    media = box(
        b"mdia",
        full(b"mdhd", struct.pack(">IIIIHH", 0, 0, 16_000, 10_000, 0, 0)),
        full(b"hdlr", b"mhlrsoun" + bytes(12)),
        box(
            b"minf",
            full(b"smhd", bytes(4)),
            box(b"dinf", full(b"dref", struct.pack(">I", 1) + alias)),
            sample_table,
        ),
    )
    track = box(b"trak", full(b"tkhd", bytes(80)), media)
    return box(b"ftyp", b"qt  ", bytes(4), b"qt  ") + box(
        b"moov", full(b"mvhd", struct.pack(">IIII", 0, 0, 16_000, 10_000) + bytes(80)), track
    )


def test_u17_a_movie_whose_sound_lies_elsewhere_gets_none(tmp_path: Path) -> None:
    sibling, source = tmp_path / SIBLING, tmp_path / "recording.mov"
    sibling.write_bytes(wav(VOICE.samples))
    source.write_bytes(movie_with_reference(SIBLING))
    with watched(sibling) as opens, pytest.raises(MediaRejected):
        AvDecoder().decode(source, tmp_path, LIMITS, ignore)
    assert opens == []
    with watched(sibling) as opens, av.open(str(source), options={"enable_drefs": "1"}) as unguarded:
        assert next(unguarded.decode(audio=0)).samples > 0
    assert len(opens) == 1, "the file was no lure: nothing is proven"


@pytest.mark.slow
@pytest.mark.timeout(90)
async def test_u17_by_url_they_are_files_like_any_other(canary: Canary, tmp_path: Path) -> None:
    egress = Egress(EgressPolicy.allowing(["127.0.0.2/32"]))
    fetcher = HttpOrYtDlpFetcher(HttpFetcher(egress), YtDlpFetcher(egress))
    headers = {"Content-Type": "application/vnd.apple.mpegurl"}
    with Web() as web:
        for kind, text in LURES.items():
            folder = tmp_path / kind
            folder.mkdir()
            body = text.format(url=canary.address, file=folder / SIBLING, udp=canary.udp).encode()
            web.pages[f"/{kind}.m3u8"] = Page(body, headers=headers)
            await fetcher.fetch(f"{web.address}/{kind}.m3u8", folder / "recording", FETCH_LIMITS, ignore)
            with pytest.raises(MediaRejected) as caught:
                await asyncio.to_thread(AvDecoder().decode, folder / "recording", folder, LIMITS, ignore)
            assert caught.value.reason == "not_media"
        assert len(web.asked) == len(LURES)
    assert canary.visits == 0
