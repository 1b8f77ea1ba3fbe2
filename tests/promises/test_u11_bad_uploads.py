"""U-11: what is no recording is refused with a code that says why, and nothing of it reaches an engine."""

import io
import sys
import zipfile
from pathlib import Path

import pytest

from adapters.media.av import AvDecoder
from tests.contracts.media_decoder import PARTIES, VOICE, refused
from tests.media_files import FORMATS, video_only, wav, write

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc000000301010018dd8db0"
    "0000000049454e44ae426082"
)
JPEG = bytes.fromhex("ffd8ffe000104a46494600010101004800480000ffdb0043") + bytes(range(64)) + bytes.fromhex("ffd9")
GIF = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\4\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("recording.wav", wav(VOICE.samples))
    return buffer.getvalue()


NOT_MEDIA = {
    "text": b"Good morning, this is the minutes of the meeting.\n" * 40,
    "one_byte": b"R",
    "newlines": b"\n" * 5000,
    "zeros": bytes(100_000),
    "ones": b"\xff" * 100_000,
    "utf16": ("\ufeff" + "text " * 500).encode("utf-16"),
    "json": b'{"task_id": "1", "segments": []}' * 50,
    "xml": b'<?xml version="1.0"?><root>' + b"<a/>" * 500 + b"</root>",
    "html": b"<!DOCTYPE html><html><body><audio src='http://127.0.0.1/a.mp3'></audio></body></html>" * 20,
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="http://127.0.0.1/a"/></svg>',
    "python": Path(__file__).read_bytes(),
    "elf": Path(sys.executable).resolve().read_bytes()[:200_000],
    "pdf": b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n%%EOF\n" * 10,
    "zip": zipped(),
    "gzip": b"\x1f\x8b\x08\0\0\0\0\0\0\3" + bytes(range(256)) * 20,
    "png": PNG,
    "jpeg": JPEG,
    "gif": GIF,
    "bmp": b"BM" + (58).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little") + bytes(44),
    "tiff": b"II*\0\x08\0\0\0\0\0\0\0" + bytes(100),
    "webp": b"RIFF\x24\0\0\0WEBPVP8 " + bytes(24),
    "sqlite": b"SQLite format 3\0" + bytes(4000),
    "subtitles": b"1\n00:00:00,000 --> 00:00:01,000\nHello\n\n" * 30,
    "webvtt": b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n",
    "m3u": b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1/a.mp3\n",
    "hls": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\na.ts\n#EXT-X-ENDLIST\n",
    "pls": b"[playlist]\nFile1=http://127.0.0.1/a.mp3\nNumberOfEntries=1\n",
    "ffconcat": b"ffconcat version 1.0\nfile 'a.wav'\n",
    "sdp": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 5004 RTP/AVP 0\r\n",
    "midi": b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\4\0\xff\x2f\0",
    "riff_without_wave": b"RIFF\x24\0\0\0JUNK" + bytes(100),
    "wav_of_0_hz": wav(VOICE.samples, rate=0),
    "wav_of_4_ghz": wav(VOICE.samples, rate=0xFFFFFFFF),
    "mp4_box_alone": b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(500),
    "ebml_head_alone": bytes.fromhex("1a45dfa3934286810142f7810142f2810442f381084282847765626d"),
    "ogg_page_alone": b"OggS\0\2" + bytes(20) + b"\1\x1e" + bytes(30),
    "half_a_riff_head": wav(VOICE.samples)[:20],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NOT_MEDIA)
def test_u11_what_is_not_media_is_refused(name: str, tmp_path: Path) -> None:
    codes = {"not_media", "no_audio_stream"} if name in {"webp", "ogg_page_alone"} else {"not_media"}
    assert refused(AvDecoder(), NOT_MEDIA[name], tmp_path) in codes


def test_u11_an_empty_file_is_refused(tmp_path: Path) -> None:
    assert refused(AvDecoder(), b"", tmp_path) == "empty_file"


def test_u11_a_recording_without_sound_is_refused(tmp_path: Path) -> None:
    assert refused(AvDecoder(), wav(VOICE.samples)[:44], tmp_path) == "no_audio_frames"
    assert refused(AvDecoder(), wav(VOICE.samples[:1]), tmp_path) == "no_audio_frames"
    flac = write(tmp_path / "made", FORMATS["flac"], PARTIES).read_bytes()
    assert refused(AvDecoder(), flac[: flac.index(b"\xff\xf8")], tmp_path) == "no_audio_frames"
    assert refused(AvDecoder(), video_only(tmp_path / "made").read_bytes(), tmp_path) == "no_audio_stream"


def test_u11_a_refusal_leaves_no_samples(tmp_path: Path) -> None:
    refused(AvDecoder(), NOT_MEDIA["text"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["refused"]
