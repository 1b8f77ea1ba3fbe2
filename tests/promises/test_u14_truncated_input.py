"""U-14: what is left of a truncated recording is decoded, and the loss is told wherever the format can know it."""

from pathlib import Path

import pytest

from adapters.media.av import AvDecoder
from domain.media import MediaFacts, truncation
from tests.contracts.media_decoder import decoded, refused
from tests.media_files import FORMATS, talk, write

TOLD = {
    *("wav", "aiff", "au", "flac", "wv", "tta", "mp3", "mp3-vbr"),
    *("m4a-faststart", "mkv", "mka", "webm", "avi", "avi-pcm"),
}
"""The header says how long the recording is: the warning names both durations."""

UNREADABLE = {"m4a", "alac", "mp4", "mov", "caf"}
"""The index comes last, and nothing can be decoded without it: refused as `not_media`."""

SILENT = {
    *("aac", "ac3", "amr", "mp2", "mp3-headerless", "mp3-vbr-headerless"),  # frames follow each other without a header
    *("mpeg", "ts", "webm-live", "m4a-fragmented"),  # made for live streams, which have no length
    *("ogg", "opus"),  # the length is the timestamp of the last page, whichever that is
    "w64",  # FFmpeg takes the length of the file for that of the recording
}
"""Nothing in the file says that there was more: what is there is decoded, without a warning."""

LASTS = 30


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder, sound = tmp_path_factory.mktemp("made"), talk(LASTS).samples
    return {name: write(folder / "made", kind, sound).read_bytes() for name, kind in FORMATS.items()}


def test_u14_the_table_is_complete() -> None:
    assert set(FORMATS) == TOLD | UNREADABLE | SILENT
    assert len(TOLD) >= 9


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", sorted(TOLD | SILENT))
def test_u14_what_is_left_is_decoded(name: str, made: dict[str, bytes], tmp_path: Path) -> None:
    content = made[name]
    for share in (0.1, 0.5, 0.9):
        facts = decoded(AvDecoder(), content[: round(len(content) * share)], tmp_path).facts
        assert facts.decoded == pytest.approx(LASTS * 1000 * share, abs=1500)
        notice = truncation(facts)
        assert (notice is not None) == (name in TOLD)
        if notice is not None:
            assert notice.code == "truncated_input"
            assert f"{LASTS}.0 seconds" in notice.detail
            assert f"{facts.decoded / 1000:.1f} seconds" in notice.detail


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_u14_a_whole_recording_is_not_suspected(name: str, made: dict[str, bytes], tmp_path: Path) -> None:
    """Not even where a header is missing, or a codec fills up its last frame."""
    facts = decoded(AvDecoder(), made[name], tmp_path).facts
    assert facts.decoded == pytest.approx(LASTS * 1000, abs=100)
    assert facts.declared is None or facts.declared == pytest.approx(LASTS * 1000, abs=100)
    assert truncation(facts) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(UNREADABLE))
def test_u14_without_its_index_it_is_no_recording(name: str, made: dict[str, bytes], tmp_path: Path) -> None:
    for share in (0.1, 0.5, 0.9):
        assert refused(AvDecoder(), made[name][: round(len(made[name]) * share)], tmp_path) == "not_media"


@pytest.mark.parametrize("name", ["wav", "mp3", "flac"])
def test_u14_half_a_recording_is_told(name: str, tmp_path: Path) -> None:
    content = write(tmp_path / "made", FORMATS[name], talk(6).samples).read_bytes()
    notice = truncation(decoded(AvDecoder(), content[: len(content) // 2], tmp_path).facts)
    assert notice is not None
    assert "6.0 seconds" in notice.detail
    assert truncation(decoded(AvDecoder(), content, tmp_path).facts) is None


def facts(declared: int | None, there: int) -> MediaFacts:
    return MediaFacts(
        container="wav", codec="pcm_s16le", sample_rate=16_000, channels=1, declared=declared, decoded=there
    )


def test_u14_headers_may_round() -> None:
    assert truncation(facts(None, 5)) is None
    assert truncation(facts(10_000, 9_000)) is None
    assert truncation(facts(10_000, 8_999)) is not None
    assert truncation(facts(3_600_000, 3_564_000)) is None
    assert truncation(facts(3_600_000, 3_563_999)) is not None
    assert truncation(facts(10_000, 20_000)) is None
