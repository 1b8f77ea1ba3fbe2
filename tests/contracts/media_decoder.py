"""What every media decoder promises. Bindings give `decoder`; the recordings are made by `tests.media_files`."""

from pathlib import Path

import numpy as np
import pytest

from application.ports.media import MediaDecoder
from domain.errors import ColloquyError, MediaRejected
from domain.media import SAMPLE_RATE, ChannelRelation, DecodedAudio, DecodedMedia, DecodeLimits
from tests.contracts.suite import Suite
from tests.media_files import FORMATS, Samples, talk, video_only, wav, write

VOICE = talk(3, seed=1)
OTHER_VOICE = talk(3, seed=2, pitch=210)
QUIET = (np.random.default_rng(3).normal(0, 20, 48_000)).astype(np.int16)
PARTIES = np.stack([np.append(VOICE.samples, QUIET), np.append(QUIET, OTHER_VOICE.samples)], axis=1)
"""A call: one party on each channel, taking turns."""
LIMITS = DecodeLimits(max_duration=60_000, max_memory=1 << 30, max_seconds=30.0)


def ignore(_: float) -> None:
    """Take progress without a word."""


def samples_of(audio: DecodedAudio) -> Samples:
    return np.frombuffer(Path(audio.path).read_bytes(), dtype="<i2")


def refused(decoder: MediaDecoder, content: bytes, tmp_path: Path, limits: DecodeLimits = LIMITS) -> str:
    """Give the code with which the decoder refuses `content`."""
    source = tmp_path / "refused"
    source.write_bytes(content)
    with pytest.raises(MediaRejected) as caught:
        decoder.decode(source, tmp_path, limits, ignore)
    assert caught.value.detail
    assert str(tmp_path) not in caught.value.detail
    return caught.value.reason


def decoded(
    decoder: MediaDecoder, content: bytes, tmp_path: Path, *, limits: DecodeLimits = LIMITS, name: str = "recording"
) -> DecodedMedia:
    source, into = tmp_path / name, tmp_path / "into"
    source.write_bytes(content)
    into.mkdir(exist_ok=True)
    return decoder.decode(source, into, limits, ignore)


class MediaDecoderContract(Suite):
    """Recordings to samples."""

    def test_samples_come_out_as_they_went_in(self, decoder: MediaDecoder, tmp_path: Path) -> None:
        media = decoded(decoder, wav(VOICE.samples), tmp_path)
        assert media.mix.duration == 3000
        assert np.array_equal(samples_of(media.mix), VOICE.samples)
        assert media.channels == ()

    def test_other_rates_and_channels_become_16_khz_mono(self, decoder: MediaDecoder, tmp_path: Path) -> None:
        tone = (np.sin(2 * np.pi * 440 * np.arange(44_100 * 2) / 44_100) * 10_000).astype(np.int16)
        media = decoded(decoder, wav(np.stack([tone, tone], axis=1), rate=44_100), tmp_path)
        samples = samples_of(media.mix)
        assert abs(len(samples) - 2 * SAMPLE_RATE) <= SAMPLE_RATE // 100
        spectrum = np.abs(np.fft.rfft(samples))
        assert spectrum.argmax() / (len(samples) / SAMPLE_RATE) == pytest.approx(440, abs=1)
        assert np.abs(samples).max() == pytest.approx(10_000, rel=0.05)

    def test_it_says_what_it_found(self, decoder: MediaDecoder, tmp_path: Path) -> None:
        facts = decoded(decoder, write(tmp_path / "made", FORMATS["flac"], PARTIES).read_bytes(), tmp_path).facts
        assert (facts.container, facts.codec) == FORMATS["flac"].found
        assert (facts.sample_rate, facts.channels) == (44_100, 2)
        assert (facts.tracks, facts.track) == (1, 0)
        assert (facts.declared, facts.decoded) == (6000, 6000)
        assert facts.relation is ChannelRelation.DISTINCT

    def test_one_channel_has_no_relation(self, decoder: MediaDecoder, tmp_path: Path) -> None:
        assert decoded(decoder, wav(VOICE.samples), tmp_path).facts.relation is ChannelRelation.SINGLE

    def test_two_channels_can_be_split(self, decoder: MediaDecoder, tmp_path: Path) -> None:
        split = DecodeLimits(max_duration=60_000, max_memory=1 << 30, max_seconds=30.0, split_channels=True)
        media = decoded(decoder, wav(PARTIES), tmp_path, limits=split)
        left, right = (samples_of(channel) for channel in media.channels)
        assert np.array_equal(left, PARTIES[:, 0])
        assert np.array_equal(right, PARTIES[:, 1])
        assert [channel.duration for channel in media.channels] == [media.mix.duration] * 2
        middle = (left.astype(int) + right) / 2
        assert np.abs(samples_of(media.mix) - middle).max() <= 1
        assert decoded(decoder, wav(VOICE.samples), tmp_path, limits=split).channels == ()
        assert decoded(decoder, wav(PARTIES), tmp_path).channels == ()

    def test_the_name_does_not_count(self, decoder: MediaDecoder, tmp_path: Path) -> None:
        for name in ("recording.m3u8", "-\n;%03d.png", "concat:a|b"):
            media = decoded(decoder, wav(VOICE.samples), tmp_path, name=name)
            assert (media.facts.container, media.facts.decoded) == ("wav", 3000)

    def test_the_source_stays_as_it_was(self, decoder: MediaDecoder, tmp_path: Path) -> None:
        content = wav(VOICE.samples)
        decoded(decoder, content, tmp_path)
        assert (tmp_path / "recording").read_bytes() == content

    def test_a_repeated_call_overwrites(self, decoder: MediaDecoder, tmp_path: Path) -> None:
        for length in (48_000, 16_000, 32_000):
            media = decoded(decoder, wav(VOICE.samples[:length]), tmp_path)
            assert np.array_equal(samples_of(media.mix), VOICE.samples[:length])

    def test_what_is_no_recording_is_refused(self, decoder: MediaDecoder, tmp_path: Path) -> None:
        assert refused(decoder, b"", tmp_path) == "empty_file"
        assert refused(decoder, b"no recording at all\n" * 100, tmp_path) == "not_media"
        assert refused(decoder, wav(VOICE.samples[:0]), tmp_path) == "no_audio_frames"
        assert refused(decoder, video_only(tmp_path / "made").read_bytes(), tmp_path) == "no_audio_stream"

    def test_a_track_that_is_not_there_is_refused(self, decoder: MediaDecoder, tmp_path: Path) -> None:
        second = DecodeLimits(max_duration=60_000, max_memory=1 << 30, max_seconds=30.0, track=1)
        assert refused(decoder, wav(VOICE.samples), tmp_path, second) == "no_audio_stream"

    def test_what_is_too_long_is_refused(self, decoder: MediaDecoder, tmp_path: Path) -> None:
        """By the header, and where the header says nothing (a size of 0 means "until the end")."""
        short = DecodeLimits(max_duration=1500, max_memory=1 << 30, max_seconds=30.0)
        assert refused(decoder, wav(VOICE.samples), tmp_path, short) == "too_long"
        assert refused(decoder, wav(VOICE.samples, size=0xFFFFFFFF), tmp_path, short) == "too_long"

    def test_the_first_part_alone_can_be_taken(self, decoder: MediaDecoder, tmp_path: Path) -> None:
        first = DecodeLimits(max_duration=2000, max_memory=1 << 30, max_seconds=30.0, only_first=1500)
        for size in (None, 0xFFFFFFFF):
            media = decoded(decoder, wav(VOICE.samples, size=size), tmp_path, limits=first)
            assert media.mix.duration == media.facts.decoded == 1500
            assert media.facts.declared in {1500, None}, "what is left out is not missing"
            assert np.array_equal(samples_of(media.mix), VOICE.samples[:24_000])
        more = DecodeLimits(max_duration=60_000, max_memory=1 << 30, max_seconds=30.0, only_first=9000)
        assert decoded(decoder, wav(VOICE.samples), tmp_path, limits=more).mix.duration == 3000

    def test_what_is_cut_off_is_kept(self, decoder: MediaDecoder, tmp_path: Path) -> None:
        media = decoded(decoder, wav(VOICE.samples)[:-64_000], tmp_path)
        assert (media.facts.declared, media.facts.decoded) == (3000, 1000)
        assert np.array_equal(samples_of(media.mix), VOICE.samples[:16_000])

    def test_progress_rises_to_the_end(self, decoder: MediaDecoder, tmp_path: Path) -> None:
        seen: list[float] = []
        source = tmp_path / "recording"
        source.write_bytes(wav(VOICE.samples))
        decoder.decode(source, tmp_path, LIMITS, seen.append)
        assert seen == sorted(seen)
        assert 0 <= seen[0] <= seen[-1] == 1

    def test_the_sink_can_stop_it(self, decoder: MediaDecoder, tmp_path: Path) -> None:
        class Stopped(ColloquyError):
            """The sink's own error."""

        def stop(_: float) -> None:
            raise Stopped("enough")

        source = tmp_path / "recording"
        source.write_bytes(wav(VOICE.samples))
        with pytest.raises(Stopped):
            decoder.decode(source, tmp_path, LIMITS, stop)
