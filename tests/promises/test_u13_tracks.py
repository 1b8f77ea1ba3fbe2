"""U-13: video without sound is refused; of several audio tracks the first is taken, or the one asked for."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from adapters.media.av import AvDecoder
from domain.media import DecodeLimits
from tests.contracts.media_decoder import LIMITS, OTHER_VOICE, VOICE, decoded, ignore, refused, samples_of
from tests.media_files import RATE, frame, pieces, tracks, video_only


@pytest.mark.parametrize("container", ["mp4", "matroska", "avi", "mpegts"])
def test_u13_video_without_sound_is_refused(container: str, tmp_path: Path) -> None:
    silent = video_only(tmp_path / "made", container).read_bytes()
    assert refused(AvDecoder(), silent, tmp_path) == "no_audio_stream"


def test_u13_the_first_track_is_taken_unless_another_is_asked_for(tmp_path: Path) -> None:
    both = tracks(tmp_path / "both", [VOICE.samples, OTHER_VOICE.samples])
    media = AvDecoder().decode(both, tmp_path, LIMITS, ignore)
    assert (media.facts.tracks, media.facts.track) == (2, 0)
    assert np.array_equal(samples_of(media.mix), VOICE.samples)
    second = DecodeLimits(max_duration=60_000, max_memory=1 << 30, max_seconds=30.0, track=1)
    media = AvDecoder().decode(both, tmp_path, second, ignore)
    assert (media.facts.tracks, media.facts.track) == (2, 1)
    assert np.array_equal(samples_of(media.mix), OTHER_VOICE.samples)
    third = DecodeLimits(max_duration=60_000, max_memory=1 << 30, max_seconds=30.0, track=2)
    assert refused(AvDecoder(), both.read_bytes(), tmp_path, third) == "no_audio_stream"


def test_u13_cover_art_is_ignored(tmp_path: Path) -> None:
    """An MP3 with a broken picture in its tag: whoever tried to decode that would fail."""
    picture = b"\0image/png\0\3cover\0" + b"\x89PNG\r\n\x1a\n" + b"broken" * 2000
    body = b"APIC" + len(picture).to_bytes(4, "big") + b"\0\0" + picture
    size = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    tag = b"ID3\3\0\0" + size + body
    with av.open(str(tmp_path / "made"), "w", format="mp3") as file:
        stream = file.add_stream("libmp3lame", rate=RATE, layout="mono")
        assert isinstance(stream, av.AudioStream)
        for sound in pieces(VOICE.samples):
            file.mux(stream.encode(sound))
        file.mux(stream.encode(None))
    facts = decoded(AvDecoder(), tag + (tmp_path / "made").read_bytes(), tmp_path).facts
    assert (facts.container, facts.codec) == ("mp3", "mp3")
    assert facts.decoded == pytest.approx(3000, abs=60)
    assert facts.declared == pytest.approx(3000, abs=60)


def test_u13_subtitles_and_broken_video_are_ignored(tmp_path: Path) -> None:
    """Sound beside a picture track that holds rubbish, and beside subtitles."""
    with av.open(str(tmp_path / "made"), "w", format="matroska") as file:
        video = file.add_stream("mpeg4", rate=25)
        assert isinstance(video, av.VideoStream)
        video.width = video.height = 32
        video.pix_fmt = "yuv420p"
        audio = file.add_stream("flac", rate=RATE, layout="mono")
        assert isinstance(audio, av.AudioStream)
        for number, start in enumerate(range(0, len(VOICE.samples), RATE // 25)):
            packet = av.Packet(b"\xde\xad\xbe\xef" * 50)
            packet.stream, packet.time_base = video, Fraction(1, 25)
            packet.pts = packet.dts = number
            if number == 0:
                video.codec_context.open()
            file.mux(packet)
            file.mux(audio.encode(frame(VOICE.samples[start : start + RATE // 25], start)))
        file.mux(audio.encode(None))
    media = decoded(AvDecoder(), (tmp_path / "made").read_bytes(), tmp_path)
    assert np.array_equal(samples_of(media.mix), VOICE.samples)
