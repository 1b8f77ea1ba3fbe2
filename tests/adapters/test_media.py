"""The PyAV decoder against its contract, and what is its own: child processes, channels, clocks and odd headers."""

import contextlib
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from adapters.media.av import AvDecoder
from adapters.media.relation import RelationMeter, mixed
from application.ports.media import MediaDecoder
from application.ports.system import ProgressSink
from domain.errors import ColloquyError, MediaRejected, StorageFull
from domain.media import ChannelRelation, DecodedMedia, DecodeLimits
from tests.contracts.media_decoder import (
    LIMITS,
    OTHER_VOICE,
    PARTIES,
    VOICE,
    MediaDecoderContract,
    decoded,
    ignore,
    refused,
    samples_of,
)
from tests.contracts.proof import failures
from tests.media_files import FORMATS, RATE, Samples, tracks, wav, write_apart

SPLIT = DecodeLimits(max_duration=60_000, max_memory=1 << 30, max_seconds=30.0, split_channels=True)


class TestAvDecoder(MediaDecoderContract, adapter=AvDecoder):
    @pytest.fixture
    def decoder(self) -> MediaDecoder:
        return AvDecoder()


def test_it_travels_to_another_process() -> None:
    assert isinstance(pickle.loads(pickle.dumps(AvDecoder())), AvDecoder)  # noqa: S301 - made on this line


def test_the_parent_needs_no_codec() -> None:
    code = "import sys, adapters.media.av; print([name for name in ('av', 'numpy') if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


# Channels


def relation_of(left: Samples, right: Samples, tmp_path: Path) -> tuple[ChannelRelation, DecodedMedia]:
    media = decoded(AvDecoder(), wav(np.stack([left, right], axis=1)), tmp_path, limits=SPLIT)
    return media.facts.relation, media


def noise(length: int, level: float, seed: int = 9) -> Samples:
    return np.random.default_rng(seed).normal(0, level, length).astype(np.int16)


def test_one_signal_twice_is_identical_whatever_the_gain_and_the_noise(tmp_path: Path) -> None:
    voice = VOICE.samples
    hissing = (voice // 4 + noise(len(voice), 100)).astype(np.int16)
    for right in (voice, hissing, -voice):
        assert relation_of(voice, right, tmp_path)[0] is ChannelRelation.IDENTICAL


def test_a_silent_channel_is_no_party(tmp_path: Path) -> None:
    voice = VOICE.samples
    for silence in (np.zeros_like(voice), noise(len(voice), 3)):
        assert relation_of(voice, silence, tmp_path)[0] is ChannelRelation.IDENTICAL
        assert relation_of(silence, voice, tmp_path)[0] is ChannelRelation.IDENTICAL
    assert relation_of(np.zeros_like(voice), np.zeros_like(voice), tmp_path)[0] is ChannelRelation.IDENTICAL


def test_parties_are_told_from_microphones_in_one_room() -> None:
    """What each channel hears of the other party decides; a table makes some 6 dB, headsets make more."""
    first, second = PARTIES[:, 0].astype(np.float64), PARTIES[:, 1].astype(np.float64)

    def heard(leak: float) -> ChannelRelation:
        gain, delay = 10 ** (leak / 20), 40
        meter = RelationMeter()
        meter.add(np.stack([first + gain * np.roll(second, delay), second + gain * np.roll(first, delay)], axis=1))
        return meter.relation

    assert [heard(leak) for leak in (-60, -30, -20, -15)] == [ChannelRelation.DISTINCT] * 4
    assert [heard(leak) for leak in (-6, -3)] == [ChannelRelation.MIXED] * 2


@pytest.mark.speech
def test_real_parties_are_distinct(speech: Path, tmp_path: Path) -> None:
    real = AvDecoder().decode(speech / "stereo-two-channels.flac", tmp_path, SPLIT, ignore)
    assert real.facts.relation is ChannelRelation.DISTINCT
    assert len(real.channels) == 2
    same = AvDecoder().decode(speech / "jfk.flac", tmp_path, SPLIT, ignore)
    assert same.facts.relation is ChannelRelation.IDENTICAL


def test_an_inverted_channel_does_not_cancel_the_other(tmp_path: Path) -> None:
    media = relation_of(VOICE.samples, -VOICE.samples, tmp_path)[1]
    assert np.array_equal(samples_of(media.mix), VOICE.samples)
    quiet = np.zeros((320, 2))
    assert not mixed(quiet).any()


def test_many_channels_are_averaged_and_none_is_left_out(tmp_path: Path) -> None:
    """FFmpeg would guess a cinema's layout for them, and drop what it takes for the subwoofer."""
    for channels in (3, 8, 64):
        levels = np.random.default_rng(channels).integers(1_000, 30_000, channels).astype(np.int16)
        mix = samples_of(decoded(AvDecoder(), wav(np.tile(levels, (RATE, 1)), channels=channels), tmp_path).mix)
        assert np.abs(mix[4000:12_000] - levels.mean()).max() <= 2


# Tracks and clocks


def test_the_track_can_be_chosen(tmp_path: Path) -> None:
    both = tracks(tmp_path / "both.mkv", [VOICE.samples, OTHER_VOICE.samples])
    for number, voice in enumerate((VOICE, OTHER_VOICE)):
        limits = DecodeLimits(max_duration=60_000, max_memory=1 << 30, max_seconds=30.0, track=number)
        media = AvDecoder().decode(both, tmp_path, limits, ignore)
        assert (media.facts.tracks, media.facts.track) == (2, number)
        assert np.array_equal(samples_of(media.mix), voice.samples)


@pytest.mark.parametrize("kind", ["mkv", "mov", "ts"])
def test_a_hole_in_the_clock_becomes_silence(kind: str, tmp_path: Path) -> None:
    """Calls send nothing while nobody speaks; without the silence every later word would be early."""
    source = write_apart(tmp_path / "made", FORMATS[kind], VOICE.samples, hole_at=RATE, hole=2 * RATE)
    media = AvDecoder().decode(source, tmp_path, LIMITS, ignore)
    samples = samples_of(media.mix)
    assert media.mix.duration == pytest.approx(5000, abs=100)
    assert np.abs(samples[int(1.2 * RATE) : int(2.8 * RATE)]).max() <= 40
    assert loudness(samples[3 * RATE :]) == pytest.approx(loudness(VOICE.samples[RATE:]), rel=0.1)


@pytest.mark.parametrize("kind", ["mp4", "mkv", "ts"])
def test_sound_that_starts_after_the_picture_starts_late(kind: str, tmp_path: Path) -> None:
    source = write_apart(tmp_path / "made", FORMATS[kind], VOICE.samples, hole_at=0, hole=2 * RATE)
    media = AvDecoder().decode(source, tmp_path, LIMITS, ignore)
    assert media.mix.duration == pytest.approx(5000, abs=100)


def test_a_broken_clock_adds_nothing(tmp_path: Path) -> None:
    """Broadcast timestamps jump by hours when a programme starts; that is no silence of hours."""
    source = write_apart(tmp_path / "made", FORMATS["ts"], VOICE.samples, hole_at=RATE, hole=3600 * RATE)
    assert AvDecoder().decode(source, tmp_path, LIMITS, ignore).mix.duration == pytest.approx(3000, abs=100)


def test_silence_counts_against_the_limit(tmp_path: Path) -> None:
    source = write_apart(tmp_path / "made", FORMATS["mkv"], VOICE.samples, hole_at=RATE, hole=50 * RATE)
    short = DecodeLimits(max_duration=51_000, max_memory=1 << 30, max_seconds=30.0)
    assert refused(AvDecoder(), source.read_bytes(), tmp_path, short) == "too_long"


def loudness(samples: Samples) -> float:
    return float(np.sqrt((samples.astype(np.float64) ** 2).mean()))


# Full disks


@pytest.mark.parametrize("file", ["mix.pcm", "channel1.pcm"])
def test_a_full_disk_is_told_and_leaves_nothing(file: str, tmp_path: Path) -> None:
    (tmp_path / "into").mkdir()
    (tmp_path / "into" / file).symlink_to("/dev/full")
    with pytest.raises(StorageFull):
        decoded(AvDecoder(), wav(PARTIES), tmp_path, limits=SPLIT)
    assert list((tmp_path / "into").iterdir()) == []


# The suite itself, against decoders that are wrong in one thing each


class Wrong(MediaDecoder):
    """Decodes rightly; the classes below spoil one thing."""

    def decode(self, source: Path, into: Path, limits: DecodeLimits, on_progress: ProgressSink) -> DecodedMedia:
        return AvDecoder().decode(source, into, limits, on_progress)


class Louder(Wrong):
    def decode(self, source: Path, into: Path, limits: DecodeLimits, on_progress: ProgressSink) -> DecodedMedia:
        media = super().decode(source, into, limits, on_progress)
        Path(media.mix.path).write_bytes((samples_of(media.mix) // 2).tobytes())
        return media


class Appends(Wrong):
    def decode(self, source: Path, into: Path, limits: DecodeLimits, on_progress: ProgressSink) -> DecodedMedia:
        before = (into / "mix.pcm").read_bytes() if (into / "mix.pcm").exists() else b""
        media = super().decode(source, into, limits, on_progress)
        Path(media.mix.path).write_bytes(before + Path(media.mix.path).read_bytes())
        return media


class SwapsChannels(Wrong):
    def decode(self, source: Path, into: Path, limits: DecodeLimits, on_progress: ProgressSink) -> DecodedMedia:
        media = super().decode(source, into, limits, on_progress)
        return DecodedMedia(mix=media.mix, channels=media.channels[::-1], facts=media.facts)


class TrustsNames(Wrong):
    def decode(self, source: Path, into: Path, limits: DecodeLimits, on_progress: ProgressSink) -> DecodedMedia:
        if source.suffix == ".m3u8":
            raise MediaRejected("a playlist")
        return super().decode(source, into, limits, on_progress)


class ConsumesTheSource(Wrong):
    def decode(self, source: Path, into: Path, limits: DecodeLimits, on_progress: ProgressSink) -> DecodedMedia:
        media = super().decode(source, into, limits, on_progress)
        source.unlink()
        return media


class OneCodeForAll(Wrong):
    def decode(self, source: Path, into: Path, limits: DecodeLimits, on_progress: ProgressSink) -> DecodedMedia:
        try:
            return super().decode(source, into, limits, on_progress)
        except MediaRejected as error:
            raise MediaRejected(error.detail, code="not_media") from error


class ShowsPaths(Wrong):
    def decode(self, source: Path, into: Path, limits: DecodeLimits, on_progress: ProgressSink) -> DecodedMedia:
        try:
            return super().decode(source, into, limits, on_progress)
        except MediaRejected as error:
            raise MediaRejected(f"{source}: {error.detail}", code=error.reason) from error


class BelievesTheHeader(Wrong):
    def decode(self, source: Path, into: Path, limits: DecodeLimits, on_progress: ProgressSink) -> DecodedMedia:
        media = super().decode(source, into, limits, on_progress)
        facts = replace(media.facts, decoded=media.facts.declared or 0)
        return DecodedMedia(mix=media.mix, channels=media.channels, facts=facts)


class CannotBeStopped(Wrong):
    def decode(self, source: Path, into: Path, limits: DecodeLimits, on_progress: ProgressSink) -> DecodedMedia:
        def shielded(fraction: float) -> None:
            with contextlib.suppress(ColloquyError):
                on_progress(fraction)

        return super().decode(source, into, limits, shielded)


class SaysNothing(Wrong):
    def decode(self, source: Path, into: Path, limits: DecodeLimits, on_progress: ProgressSink) -> DecodedMedia:
        on_progress(0.5)
        return super().decode(source, into, limits, ignore)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("broken", "caught"),
    [
        (Louder, "test_samples_come_out_as_they_went_in"),
        (Appends, "test_a_repeated_call_overwrites"),
        (SwapsChannels, "test_two_channels_can_be_split"),
        (TrustsNames, "test_the_name_does_not_count"),
        (ConsumesTheSource, "test_the_source_stays_as_it_was"),
        (OneCodeForAll, "test_what_is_too_long_is_refused"),
        (ShowsPaths, "test_what_is_no_recording_is_refused"),
        (BelievesTheHeader, "test_what_is_cut_off_is_kept"),
        (CannotBeStopped, "test_the_sink_can_stop_it"),
        (SaysNothing, "test_progress_rises_to_the_end"),
    ],
)
async def test_the_contract_fails_on_a_broken_decoder(
    broken: Callable[[], MediaDecoder], caught: str, tmp_path: Path
) -> None:
    fixtures: dict[str, Callable[[], object]] = {"decoder": broken, "tmp_path": lambda: tmp_path}
    assert await failures(MediaDecoderContract, caught, **fixtures) == {caught}
